//! Short lists in order, and maps and sets of some entries. The standard library sorts in 2 to 4 KB
//! of code for each type and each key, also where a map or set is collected: a twentieth of the
//! program. Its sort is for long lists, of which XAPI's records are the only ones.

use std::collections::{BTreeMap, BTreeSet};

/// Puts a short list in order; what is equal keeps its order.
pub(crate) fn sort<T: Ord>(list: &mut [T]) {
    sort_by(list, |one, other| one < other);
}

/// Puts a short list in the order of a key; what has the same key keeps its order.
pub(crate) fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, |one, other| key(one) < key(other));
}

fn sort_by<T>(list: &mut [T], is_before: impl Fn(&T, &T) -> bool) {
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && is_before(&list[at], &list[at - 1]) {
            list.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// A map of these entries; of two with one key the later.
pub(crate) fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut all = BTreeMap::new();
    entries.into_iter().for_each(|(key, value)| drop(all.insert(key, value)));
    all
}

/// A set of these entries.
pub(crate) fn set<T: Ord>(entries: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut all = BTreeSet::new();
    entries.into_iter().for_each(|entry| _ = all.insert(entry));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_order_and_what_is_equal_stays_so() {
        let mut list = vec![(2, 'a'), (1, 'b'), (2, 'c'), (0, 'd'), (1, 'e')];
        sort_by_key(&mut list, |(number, _)| *number);
        assert_eq!(list, [(0, 'd'), (1, 'b'), (1, 'e'), (2, 'a'), (2, 'c')]);
        sort(&mut list[..0]);
        let mut names = ["eth3", "bond51", "eth2"];
        sort(&mut names);
        assert_eq!(names, ["bond51", "eth2", "eth3"]);
        assert_eq!(map([(1, 'a'), (0, 'b'), (1, 'c')]), BTreeMap::from([(0, 'b'), (1, 'c')]));
        assert_eq!(set([2, 1, 2]), BTreeSet::from([1, 2]));
    }
}
