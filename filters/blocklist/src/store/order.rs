//! Sorting what is short or seldom sorted, by one piece of code for all types.
//!
//! The standard library's sorting is compiled anew for each type, at 8 KB of a module; only the million fingerprints of a
//! list are worth that.

/// Sorts `items` so that none is `before` the one in front of it: a heapsort.
pub(super) fn sort_by<T>(items: &mut [T], before: impl Fn(&T, &T) -> bool) {
    let count = items.len();
    let items = std::cell::RefCell::new(items);
    let less = |a: usize, b: usize| {
        let items = items.borrow();
        matches!((items.get(a), items.get(b)), (Some(a), Some(b)) if before(a, b))
    };
    sort(count, &less, &|a, b| items.borrow_mut().swap(a, b));
}

fn sort(count: usize, less: &dyn Fn(usize, usize) -> bool, swap: &dyn Fn(usize, usize)) {
    let sift = |mut root: usize, end: usize| {
        loop {
            let mut child = 2 * root + 1;
            if child >= end {
                return;
            }
            if child + 1 < end && less(child, child + 1) {
                child += 1;
            }
            if !less(root, child) {
                return;
            }
            swap(root, child);
            root = child;
        }
    };
    (0..count / 2).rev().for_each(|root| sift(root, count));
    for end in (1..count).rev() {
        swap(0, end);
        sift(0, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_sorts(mut items in proptest::collection::vec(0_u8.., 0..60)) {
            let mut right = items.clone();
            right.sort_unstable();
            sort_by(&mut items, |a, b| a < b);
            proptest::prop_assert_eq!(items, right);
        }
    }
}
