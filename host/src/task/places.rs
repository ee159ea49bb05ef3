// SPDX-License-Identifier: Apache-2.0
//! Where each value of a YAML file stands, and whether the file is fit to be parsed at all.
//!
//! serde_yaml gives values without places, so this walks the parser events of saphyr first and
//! keeps the span of every key and value. Being first, it also refuses what serde_yaml would
//! take badly: deep nesting and expanding aliases (both cost time or memory out of proportion
//! to the file), tags, merge keys, keys that are not text, repeated keys. It must not interpret
//! values: what `0x10` means is serde_yaml's answer alone. No step here recurses.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::pointer;

/// Deepest nesting, counted with aliases expanded; task files need about six levels.
const MAX_DEPTH: u32 = 64;
/// Most bytes the values may take with aliases expanded, at [`NODE_BYTES`] plus text for each.
const MAX_EXPANDED_BYTES: u64 = 16 << 20;
const NODE_BYTES: u64 = 16;

/// A range of characters in the file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    /// Where it ends (exclusive).
    pub end_line: usize,
    pub end_column: usize,
}

impl Place {
    /// A place of one character.
    pub(super) fn at(line: usize, column: usize) -> Self {
        Self { line, column, end_line: line, end_column: column.saturating_add(1) }
    }

    fn of(span: Span) -> Self {
        let place = |mark: saphyr_parser::Marker| (mark.line().max(1), mark.col().saturating_add(1));
        let (line, column) = place(span.start);
        let (end_line, end_column) = place(span.end);
        Self { line, column, end_line, end_column }
    }

    fn is_empty(self) -> bool {
        self.line == self.end_line && self.column >= self.end_column
    }
}

/// Why the file can't be a task file, and where.
#[derive(Debug)]
pub(super) struct Refusal {
    pub place: Place,
    pub message: String,
    pub help: Option<&'static str>,
    /// The YAML itself is broken; serde_yaml may say better what is wrong.
    pub syntax: bool,
}

/// Whether an error is about a value or about the key it stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Root,
    Key(String),
    Index(usize),
}

#[derive(Debug)]
struct Node {
    parent: usize,
    segment: Segment,
    key: Option<Place>,
    value: Place,
    is_scalar: bool,
    /// The node that an alias stands for.
    alias_of: Option<usize>,
    expanded_bytes: u64,
    height: u32,
}

/// The places of every key and value of one file.
#[derive(Debug, Default)]
pub(super) struct Places {
    nodes: Vec<Node>,
    children: HashMap<(usize, Segment), usize>,
    pub first_key: Option<String>,
}

impl Places {
    /// Reads the places out of `text`, or says why it is refused.
    pub(super) fn scan(text: &str) -> Result<Self, Refusal> {
        let mut walk = Walk::default();
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => walk.take(event, span)?,
                Err(error) => {
                    let mark = error.marker();
                    return Err(Refusal {
                        place: Place::at(mark.line().max(1), mark.col().saturating_add(1)),
                        message: format!("this is not valid YAML: {}", error.info()),
                        help: None,
                        syntax: true,
                    });
                }
            }
        }
        Ok(walk.places)
    }

    /// The place of the value (or its key) at `pointer`; `None` if there is no such value.
    ///
    /// A value of which nothing is written (`path:`) stands where its key does.
    pub(super) fn find(&self, pointer: &str, part: Part) -> Option<Place> {
        let (node, whole) = self.walk_to(pointer)?;
        whole.then(|| Self::place_of(node, part))
    }

    /// As [`Places::find`], but falls back to the nearest value around it.
    pub(super) fn find_around(&self, pointer: &str, part: Part) -> Option<Place> {
        let (node, whole) = self.walk_to(pointer)?;
        Some(Self::place_of(node, if whole { part } else { Part::Value }))
    }

    fn place_of(node: &Node, part: Part) -> Place {
        match (part, node.key) {
            (Part::Key, Some(key)) => key,
            (Part::Value, Some(key)) if node.value.is_empty() => key,
            _ => node.value,
        }
    }

    /// The node at `pointer`, or the last one on the way, and whether it is the one asked for.
    fn walk_to(&self, pointer: &str) -> Option<(&Node, bool)> {
        let mut at = 0;
        let mut node = self.nodes.first()?;
        for segment in pointer::segments(pointer) {
            if let Some(target) = node.alias_of {
                at = target;
            }
            let as_index = segment.parse().map(Segment::Index);
            let found = self
                .children
                .get(&(at, Segment::Key(segment)))
                .or_else(|| self.children.get(&(at, as_index.ok()?)));
            match found.and_then(|id| Some((*id, self.nodes.get(*id)?))) {
                Some((id, child)) => (at, node) = (id, child),
                None => return Some((node, false)),
            }
        }
        Some((node, true))
    }

    /// Every alias: its pointer, the pointer of what it stands for, and its place.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (String, String, Place)> {
        self.nodes.iter().filter_map(|node| {
            let target = self.nodes.get(node.alias_of?)?;
            Some((self.pointer_of(node), self.pointer_of(target), node.value))
        })
    }

    /// The places of values whose key satisfies `wanted`.
    pub(super) fn values_under(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Place> {
        self.nodes.iter().filter_map(move |node| match &node.segment {
            Segment::Key(key) if node.is_scalar && wanted(key) => Some(node.value),
            _ => None,
        })
    }

    fn pointer_of(&self, node: &Node) -> String {
        let mut path = Vec::new();
        let mut at = Some(node);
        while let Some(node) = at {
            match &node.segment {
                Segment::Root => break,
                segment => path.push(segment),
            }
            at = self.nodes.get(node.parent);
        }
        path.iter().rev().fold(String::new(), |parent, segment| match segment {
            Segment::Key(key) => pointer::member(&parent, key),
            Segment::Index(index) => pointer::element(&parent, *index),
            Segment::Root => parent,
        })
    }
}

/// One collection that is still open.
#[derive(Debug)]
struct Open {
    node: usize,
    anchor: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    List { next: usize },
    Map { seen: HashSet<String>, key: Option<(String, Place)> },
}

/// The walk over the events of one file.
#[derive(Debug, Default)]
struct Walk {
    places: Places,
    open: Vec<Open>,
    anchors: HashMap<usize, usize>,
    documents: usize,
}

impl Walk {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        let place = Place::of(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return refuse(place, "a second document starts here, wanted one", None);
                }
            }
            Event::Alias(anchor) => self.alias(anchor, place)?,
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), place)?;
                self.scalar(&text, style, anchor, place)?;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), place)?;
                self.begin(anchor, place, Content::List { next: 0 })?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), place)?;
                self.begin(anchor, place, Content::Map { seen: HashSet::new(), key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// Whether the next node is a key of the innermost mapping.
    fn at_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        place: Place,
    ) -> Result<(), Refusal> {
        if self.at_key() {
            return self.key(text, style, anchor, place);
        }
        let node = self.add(place, true)?;
        self.weigh(node, NODE_BYTES.saturating_add(text.len() as u64), 0)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
        Ok(())
    }

    fn key(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        place: Place,
    ) -> Result<(), Refusal> {
        if anchor != 0 {
            return refuse(place, "an anchor on a key is not taken", Some("put it on the value"));
        }
        if text == "<<" && style == ScalarStyle::Plain {
            let help = "write the keys out, or give the whole value with an alias";
            return refuse(place, "merge keys (`<<`) are not taken", Some(help));
        }
        let is_top = self.open.len() == 1;
        if let Some(Open { content: Content::Map { seen, key }, .. }) = self.open.last_mut() {
            if !seen.insert(text.to_owned()) {
                return refuse(place, format!("key `{}` stands here twice", shorten(text)), None);
            }
            *key = Some((text.to_owned(), place));
        }
        if is_top && self.places.first_key.is_none() {
            self.places.first_key = Some(text.to_owned());
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Refusal> {
        if self.at_key() {
            return refuse(place, "an alias as a key is not taken", Some("write the key out"));
        }
        if self.open.iter().any(|open| open.anchor == anchor) {
            return refuse(place, "this alias stands inside the value it repeats", None);
        }
        let Some(&target) = self.anchors.get(&anchor) else {
            return refuse(place, "this alias has no anchor before it", None);
        };
        let node = self.add(place, false)?;
        let (bytes, height) = match self.places.nodes.get(target) {
            Some(target) => (target.expanded_bytes, target.height),
            None => (NODE_BYTES, 0),
        };
        if let Some(node) = self.places.nodes.get_mut(node) {
            node.alias_of = Some(target);
        }
        self.weigh(node, bytes, height)
    }

    fn begin(&mut self, anchor: usize, place: Place, content: Content) -> Result<(), Refusal> {
        if self.at_key() {
            return refuse(place, "this key is a list or mapping, wanted text", None);
        }
        let node = self.add(place, false)?;
        if self.open.len() as u64 >= u64::from(MAX_DEPTH) {
            return refuse(place, too_deep(), None);
        }
        self.open.push(Open { node, anchor, content });
        self.weigh(node, NODE_BYTES, 0)
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let Some(closed) = self.open.pop() else { return Ok(()) };
        if closed.anchor != 0 {
            self.anchors.insert(closed.anchor, closed.node);
        }
        Ok(())
    }

    /// Adds a node under the innermost open collection.
    fn add(&mut self, place: Place, is_scalar: bool) -> Result<usize, Refusal> {
        let id = self.places.nodes.len();
        let (parent, segment, key) = match self.open.last_mut() {
            None => (0, Segment::Root, None),
            Some(Open { node, content: Content::List { next }, .. }) => {
                let index = *next;
                *next += 1;
                (*node, Segment::Index(index), None)
            }
            Some(Open { node, content: Content::Map { key, .. }, .. }) => match key.take() {
                Some((text, key_place)) => (*node, Segment::Key(text), Some(key_place)),
                None => return refuse(place, "this value has no key", None),
            },
        };
        if segment != Segment::Root {
            self.places.children.insert((parent, segment.clone()), id);
        }
        self.places.nodes.push(Node {
            parent,
            segment,
            key,
            value: place,
            is_scalar,
            alias_of: None,
            expanded_bytes: 0,
            height: 0,
        });
        Ok(id)
    }

    /// Adds what `node` costs to itself and to every collection around it.
    fn weigh(&mut self, node: usize, bytes: u64, height: u32) -> Result<(), Refusal> {
        let Some(leaf) = self.places.nodes.get_mut(node) else { return Ok(()) };
        leaf.expanded_bytes = leaf.expanded_bytes.saturating_add(bytes);
        leaf.height = leaf.height.max(height);
        let place = leaf.value;
        let mut below = height;
        for open in self.open.iter().rev().filter(|open| open.node != node) {
            below = below.saturating_add(1);
            if let Some(around) = self.places.nodes.get_mut(open.node) {
                around.expanded_bytes = around.expanded_bytes.saturating_add(bytes);
                around.height = around.height.max(below);
                if around.expanded_bytes > MAX_EXPANDED_BYTES {
                    let message = format!(
                        "with its aliases written out, this file is over {} MiB",
                        MAX_EXPANDED_BYTES >> 20
                    );
                    return refuse(place, message, None);
                }
            }
        }
        if below > MAX_DEPTH {
            return refuse(place, too_deep(), None);
        }
        Ok(())
    }
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

fn refuse_tag(is_tagged: bool, place: Place) -> Result<(), Refusal> {
    if is_tagged {
        return refuse(place, "YAML tags (`!…`) are not taken", Some("quote the value to make it text"));
    }
    Ok(())
}

fn refuse<T>(
    place: Place,
    message: impl Into<String>,
    help: Option<&'static str>,
) -> Result<T, Refusal> {
    Err(Refusal { place, message: message.into(), help, syntax: false })
}

/// At most 60 characters of `text`, for a message.
pub(super) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Places {
        Places::scan(text).expect("the text is good YAML")
    }

    fn start(places: &Places, pointer: &str, part: Part) -> (usize, usize) {
        let place = places.find(pointer, part).expect("the pointer exists");
        (place.line, place.column)
    }

    fn refused(text: &str) -> (usize, usize, String) {
        let refusal = Places::scan(text).expect_err("the text is refused");
        (refusal.place.line, refusal.place.column, refusal.message)
    }

    #[test]
    fn finds_keys_and_values_in_block_and_flow_style() {
        let places = scan("a:\n  b: 1\n  c: {d: x, é: [7, \"8\"]}\nlast:\n- p\n- q\n");
        assert_eq!(start(&places, "", Part::Value), (1, 1));
        assert_eq!(start(&places, "/a", Part::Key), (1, 1));
        assert_eq!(start(&places, "/a", Part::Value), (2, 3));
        assert_eq!(start(&places, "/a/b", Part::Value), (2, 6));
        assert_eq!(start(&places, "/a/c/d", Part::Key), (3, 7));
        assert_eq!(start(&places, "/a/c/é/1", Part::Value), (3, 20));
        assert_eq!(start(&places, "/last/1", Part::Value), (6, 3));
        assert_eq!(places.find("/a/zzz", Part::Value), None);
        assert_eq!(places.find_around("/a/c/zzz/9", Part::Key).map(|p| p.line), Some(3));
    }

    #[test]
    fn a_value_of_which_nothing_is_written_stands_at_its_key() {
        let places = scan("a:\nb: 1\n");
        assert_eq!(start(&places, "/a", Part::Value), (1, 1));
    }

    #[test]
    fn a_path_through_an_alias_ends_where_the_value_is_written() {
        let places = scan("a: &x {k: 1}\nb: *x\n");
        assert_eq!(start(&places, "/b", Part::Value), (2, 4));
        assert_eq!(start(&places, "/b/k", Part::Value), (1, 11));
        let aliases: Vec<_> = places.aliases().map(|(at, of, _)| (at, of)).collect();
        assert_eq!(aliases, [("/b".to_owned(), "/a".to_owned())]);
    }

    #[test]
    fn refuses_repeated_keys_tags_merges_and_second_documents_at_their_place() {
        let cases = [
            ("a: 1\nb: 2\na: 3\n", 3, 1, "key `a` stands here twice"),
            ("a: 1\nb: !x 2\n", 2, 4, "YAML tags"),
            ("a: &x {k: 1}\nb:\n  <<: *x\n", 3, 3, "merge keys"),
            ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
            ("a: 1\n? [b]\n: 2\n", 2, 3, "this key is a list or mapping"),
            ("a: &x [1, *x]\n", 1, 11, "inside the value it repeats"),
        ];
        for (text, line, column, message) in cases {
            let found = refused(text);
            assert!(found.2.starts_with(message) || found.2.contains(message), "{text}: {found:?}");
            assert_eq!((found.0, found.1), (line, column), "{text}: {found:?}");
        }
    }

    #[test]
    fn aliases_that_expand_without_measure_are_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", ")));
        }
        assert!(refused(&text).2.contains("aliases written out"));
    }

    #[test]
    fn nesting_is_bounded_also_through_aliases() {
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        assert!(refused(&deep).2.contains("deeper than 64"));
        let mut chain = String::from("a0: &a0 [x]\n");
        for level in 1..70 {
            chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(refused(&chain).2.contains("deeper than 64"));
    }
}
