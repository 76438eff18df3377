//! What a `ping` under way has measured: its text, and the gaps in it. Pure.

/// What came of the packets, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// For each packet that was sent, whether it was answered.
    pub answered: Vec<bool>,
}

impl Traffic {
    /// Reads what `ping` printed: a line for each answer, and at its end how many it has sent.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let number = |text: &str| -> Option<usize> {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        let mut answers: Vec<usize> = Vec::new();
        let mut sent = 0;
        for line in text.lines() {
            if line.contains(" packets transmitted") {
                sent = number(line).unwrap_or(0);
            } else if line.contains(" bytes from ")
                // "icmp_req" is what Debian's patch of 2009 to 2013 made of it.
                && let Some((_, rest)) =
                    line.split_once("icmp_seq=").or_else(|| line.split_once("icmp_req="))
            {
                answers.extend(number(rest));
            }
        }
        // An interrupted `ping` may end without its summary.
        sent = sent.max(answers.iter().max().copied().unwrap_or(0));
        let mut answered = vec![false; sent];
        for seq in answers {
            // Numbers begin at 1, and wrap after 65535 in longer runs than ours.
            if let Some(one) = seq.checked_sub(1).and_then(|at| answered.get_mut(at)) {
                *one = true;
            }
        }
        Self { answered }
    }

    /// The traffic without the packets at its end that may have been on their way: at most `most`.
    #[must_use]
    pub fn without_tail(mut self, most: usize) -> Self {
        let tail = self.answered.iter().rev().take_while(|answered| !**answered).count();
        if tail <= most {
            self.answered.truncate(self.answered.len() - tail);
        }
        self
    }

    /// How many were sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.answered.len()
    }

    /// How many were not answered.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.answered.iter().filter(|answered| !**answered).count()
    }

    /// The longest run of packets that were not answered.
    #[must_use]
    pub fn longest_gap(&self) -> usize {
        self.answered.split(|answered| *answered).map(<[bool]>::len).max().unwrap_or(0)
    }

    /// The time from left to right: `#` where all were answered, `.` where one was not.
    #[must_use]
    pub fn timeline(&self, width: usize) -> String {
        let sent = self.sent();
        let width = width.min(sent);
        (0..width)
            .map(|at| {
                let part = &self.answered
                    [at * sent / width..((at + 1) * sent / width).max(at * sent / width + 1)];
                if part.iter().all(|answered| *answered) { '#' } else { '.' }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
PING 172.16.51.2 (172.16.51.2) from 172.16.51.11 bond51: 56(84) bytes of data.
64 bytes from 172.16.51.2: icmp_seq=1 ttl=64 time=0.214 ms
64 bytes from 172.16.51.2: icmp_seq=2 ttl=64 time=0.190 ms
From 172.16.51.11 icmp_seq=4 Destination Host Unreachable
64 bytes from 172.16.51.2: icmp_seq=6 ttl=64 time=0.2 ms
64 bytes from 172.16.51.2: icmp_seq=6 ttl=64 time=0.2 ms (DUP!)

--- 172.16.51.2 ping statistics ---
8 packets transmitted, 3 received, +1 duplicates, +1 errors, 62% packet loss, time 71ms
";

    #[test]
    fn counts_what_was_sent_and_lost_and_the_longest_gap() {
        let traffic = Traffic::parse(TEXT);
        assert_eq!((traffic.sent(), traffic.lost(), traffic.longest_gap()), (8, 5, 3));
        let traffic = traffic.without_tail(2);
        assert_eq!((traffic.sent(), traffic.lost(), traffic.longest_gap()), (6, 3, 3));
        assert_eq!(traffic.timeline(60), "##...#");
        assert_eq!(traffic.timeline(3), "#..");
        assert_eq!(
            Traffic::parse(TEXT).without_tail(1).sent(),
            8,
            "a real gap is no packet on its way"
        );
    }

    #[test]
    fn nothing_sent_is_nothing_lost() {
        for text in ["", "ping: unknown host", "0 packets transmitted, 0 received"] {
            let traffic = Traffic::parse(text);
            assert_eq!((traffic.sent(), traffic.lost(), traffic.longest_gap()), (0, 0, 0));
            assert_eq!(traffic.timeline(60), "");
        }
    }

    #[test]
    fn an_end_without_a_summary_is_read_as_far_as_it_goes() {
        let cut = &TEXT[..TEXT.find("\n\n---").unwrap()];
        assert_eq!(Traffic::parse(cut).sent(), 6);
        let old = TEXT.replace("icmp_seq=", "icmp_req=");
        assert_eq!(Traffic::parse(&old).lost(), 5);
    }
}
