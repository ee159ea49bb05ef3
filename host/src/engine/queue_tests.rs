// SPDX-License-Identifier: Apache-2.0
//! Tests of the queue: order, ends, closing, shares.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_array::RecordBatchOptions;
use arrow_schema::Schema;
use proptest::prelude::*;

use super::*;

fn item(split: usize, first_row: u64) -> Item {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    Item {
        split,
        first_row,
        piece_before: 0,
        sent_before: first_row,
        removed: vec![],
        through: None,
        rejected: 0,
        batch,
        hashed: None,
        bytes: 1,
        _held: None,
    }
}

proptest! {
    /// Splits that are filled in any interleaving come out in plan order.
    #[test]
    fn an_ordered_queue_gives_plan_order(
        lengths in prop::collection::vec(0u64..5, 1..8),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 64),
    ) {
        let queue = Queue::new(lengths.len(), true);
        let mut next = vec![0u64; lengths.len()];
        let mut open: Vec<usize> = (0..lengths.len()).collect();
        let mut picks = picks.iter().cycle();
        while !open.is_empty() {
            let at = picks.next().unwrap().index(open.len());
            let split = open[at];
            if next[split] == lengths[split] {
                queue.end(split);
                open.remove(at);
            } else {
                queue.push(item(split, next[split]));
                next[split] += 1;
            }
        }
        let popped: Vec<(usize, u64)> =
            std::iter::from_fn(|| queue.pop()).map(|item| (item.split, item.first_row)).collect();
        let wanted: Vec<(usize, u64)> = lengths
            .iter()
            .enumerate()
            .flat_map(|(split, rows)| (0..*rows).map(move |row| (split, row)))
            .collect();
        prop_assert_eq!(popped, wanted);
    }
}

#[test]
fn an_unordered_queue_gives_what_is_there() {
    let queue = Queue::new(2, false);
    queue.push(item(1, 0));
    assert_eq!(queue.pop().unwrap().split, 1);
    queue.end(1);
    queue.push(item(0, 0));
    assert_eq!(queue.pop().unwrap().split, 0);
    queue.end(0);
    assert!(queue.pop().is_none());
}

#[test]
fn closing_wakes_whoever_waits() {
    let queue = Queue::new(1, true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| queue.pop().is_none());
        std::thread::sleep(Duration::from_millis(20));
        queue.close();
        assert!(waiting.join().unwrap());
    });
    queue.push(item(0, 0));
    assert!(queue.pop().is_none());
}

#[test]
fn a_share_is_never_passed_but_by_one_batch_alone() {
    let share = Share::new(10);
    let large = share.take(100, || false).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| share.take(1, || is_over.load(Ordering::SeqCst)).is_some());
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waiting.is_finished());
        drop(large);
        assert!(waiting.join().unwrap());
    });
    let mut held = share.take(8, || false).unwrap();
    assert!(share.take(8, || true).is_none());
    held.set(2);
    assert!(share.take(8, || true).is_some());
}

#[test]
fn a_batch_is_wanted_while_a_writer_waits_for_its_split() {
    let ordered = Queue::new(2, true);
    let unordered = Queue::new(2, false);
    for queue in [&ordered, &unordered] {
        assert!(!queue.is_wanted(0));
    }
    std::thread::scope(|scope| {
        for queue in [&ordered, &unordered] {
            let taken = scope.spawn(|| queue.pop().is_some());
            while !queue.is_wanted(0) {
                std::thread::yield_now();
            }
            assert_eq!(queue.is_wanted(1), !queue.is_ordered());
            queue.push(item(0, 0));
            assert!(!queue.is_wanted(0));
            assert!(taken.join().unwrap());
        }
    });
}
