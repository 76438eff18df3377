//! Which cases of a whole enumeration a run takes: `cargo test` a few, spread evenly and always the
//! same; `XENBOND_FAULTS=N` N times as many, of which `SEED` says which; `XENBOND_FAULTS=all` all.

/// How an enumeration is sampled, read once.
pub struct Sample {
    one_in: usize,
    seed: usize,
}

impl Sample {
    /// One in so many where nothing else is said.
    pub fn one_in(usual: usize) -> Self {
        let said = |name: &str| std::env::var(name).ok();
        Self::of(usual, said("XENBOND_FAULTS").as_deref(), said("SEED").as_deref())
    }

    fn of(usual: usize, faults: Option<&str>, seed: Option<&str>) -> Self {
        let number = |word: &str| word.parse::<usize>().unwrap_or_else(|e| panic!("{word}: {e}"));
        match faults {
            None => Self { one_in: usual, seed: 0 },
            Some("all") => Self { one_in: 1, seed: 0 },
            Some(more) => {
                Self { one_in: (usual / number(more).max(1)).max(1), seed: seed.map_or(0, number) }
            }
        }
    }

    /// Whether the case of a number is taken.
    pub fn takes(&self, number: usize) -> bool {
        (number + self.seed).is_multiple_of(self.one_in)
    }
}

#[test]
fn a_sample_is_even_and_all_is_all() {
    let taken = |faults, seed| {
        let sample = Sample::of(40, faults, seed);
        (0..400).filter(|number| sample.takes(*number)).count()
    };
    assert_eq!(taken(None, Some("7")), 10);
    assert_eq!((taken(Some("4"), None), taken(Some("4"), Some("7"))), (40, 40));
    assert_eq!((taken(Some("all"), Some("7")), taken(Some("4000"), None)), (400, 400));
    assert!(
        Sample::of(40, None, Some("7")).takes(0) && !Sample::of(40, Some("2"), Some("7")).takes(0)
    );
}
