//! Puts short lists in order. The standard library's sorts are quick for long lists, and are
//! kilobytes of machine code for each type of element; these lists have a few dozen elements.

/// Puts a list in the order of its elements' keys; equal ones stay as they were.
pub(crate) fn by<T, K: Ord>(all: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..all.len() {
        let mut at = end;
        while at > 0 && key(&all[at]) < key(&all[at - 1]) {
            all.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Puts a list in order.
pub(crate) fn plainly<T: Ord>(all: &mut [T]) {
    for end in 1..all.len() {
        let mut at = end;
        while at > 0 && all[at] < all[at - 1] {
            all.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_are_put_in_the_order_of_the_standard_library(list: Vec<(u8, u8)>) {
            let (mut ours, mut theirs) = (list.clone(), list.clone());
            by(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(&ours, &theirs);
            plainly(&mut ours);
            theirs.sort();
            prop_assert_eq!(ours, theirs);
        }
    }
}
