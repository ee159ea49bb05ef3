// SPDX-License-Identifier: Apache-2.0
//! Where each key and value of a YAML file stands.
//!
//! serde_yaml gives values without places, so the walk over the parser events of saphyr (see
//! [`super::walk`]) keeps the span of every one. Nothing here interprets a value: what `0x10`
//! means is serde_yaml's answer alone.

use std::collections::HashMap;

use super::place::{Part, Place};
use super::pointer;

/// What a value is called in the collection around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone)]
struct Node {
    key: Option<Place>,
    value: Place,
}

/// The places of every key and value of one file; node 0 is the document.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    nodes: Vec<Node>,
    children: HashMap<(usize, Segment), usize>,
    /// Scalar values with the last key on the way to each.
    scalars: Vec<(Option<String>, Place)>,
}

impl Places {
    /// Adds a value and its name inside a node that was added before; `None` for the document.
    pub(super) fn add(
        &mut self,
        name: Option<(usize, Segment)>,
        key: Option<Place>,
        value: Place,
    ) -> usize {
        let node = self.nodes.len();
        if let Some(name) = name {
            self.children.insert(name, node);
        }
        self.nodes.push(Node { key, value });
        node
    }

    /// Notes that a scalar stands under `key`, directly or as an element of its list.
    pub(super) fn add_scalar(&mut self, key: Option<String>, place: Place) {
        self.scalars.push((key, place));
    }

    /// The place of the value (or its key) at `pointer`; the nearest value around it if there
    /// is no such value, the start of the text if there is none at all.
    ///
    /// A value of which nothing is written (`path:`) stands where its key does.
    pub(super) fn find(&self, pointer: &str, part: Part) -> Place {
        let (node, is_whole) = self.walk_to(pointer);
        let Some(Node { key, value }) = self.nodes.get(node) else {
            return Place::at(1, 1);
        };
        match key {
            Some(key) if value.is_empty() || (is_whole && part == Part::Key) => *key,
            _ => *value,
        }
    }

    /// The place of the value at `pointer`, if there is one.
    pub(super) fn find_exactly(&self, pointer: &str) -> Option<Place> {
        let (node, is_whole) = self.walk_to(pointer);
        let node = self.nodes.get(node).filter(|_| is_whole)?;
        Some(node.value)
    }

    /// The node at `pointer`, or the last one on the way, and whether it is the one asked for.
    fn walk_to(&self, pointer: &str) -> (usize, bool) {
        let mut at = 0;
        for segment in pointer::segments(pointer) {
            let index = segment.parse().ok().map(Segment::Index);
            let by_key = self.children.get(&(at, Segment::Key(segment)));
            let found = by_key.or_else(|| self.children.get(&(at, index?)));
            match found {
                Some(node) => at = *node,
                None => return (at, false),
            }
        }
        (at, true)
    }

    /// The places of scalars whose key satisfies `is_wanted`.
    pub(super) fn scalars_under(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Place> {
        let scalars = self.scalars.iter();
        let wanted = scalars.filter(|(key, _)| key.as_deref().is_some_and(&is_wanted));
        wanted.map(|(_, place)| *place).collect()
    }
}
