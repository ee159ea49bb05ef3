// SPDX-License-Identifier: Apache-2.0
//! Troubles that a server is told to make, so that clients can be tried against them.

use std::str::FromStr;
use std::time::Duration;

use milvusdm_proto::milvus1::ErrorCode;

use crate::calls::Call;
use crate::insertion::Insertion;
use crate::refusal::Refusal;

/// A trouble and the calls that it befalls; parsed from `CALL[WHEN]=EFFECT`, as in
/// `insert@3=drop-after` or `insert:id=5=refuse:no fives`.
///
/// | part | is |
/// |---|---|
/// | CALL | a call as in `insert`, `GetVectorsByID`, `get_vectors_by_id`; `*` for every call |
/// | WHEN | `@3` the third call, `@3+` it and all later ones, `:id=5` an insert with that id, `:nan` an insert with an element that is not a number; every call if left out |
/// | EFFECT | see [`Effect`] |
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The call, or none for every one.
    pub call: Option<Call>,
    /// Which of these calls.
    pub when: When,
    /// What happens.
    pub effect: Effect,
}

/// Which calls of a name a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// All.
    Always,
    /// One, counted from 1 and from when the fault was set.
    At(u64),
    /// One and all later ones.
    From(u64),
    /// Inserts that hold an id.
    HasId(i64),
    /// Inserts that hold a float that is not a number.
    HasNan,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// `refuse:REASON`, `refuse(15):REASON`: nothing is done, and the reply says so; code 1 if
    /// none is given.
    Refuse(Refusal),
    /// `stall`: nothing is done, and no reply comes.
    Stall,
    /// `delay:MS`: it is done later.
    Delay(Duration),
    /// `drop-before`: the connection is cut, and nothing is done.
    DropBefore,
    /// `drop-after`: it is done, and the connection is cut instead of a reply.
    DropAfter,
    /// `die-before`: the server is gone, as if killed, and nothing is done.
    DieBefore,
    /// `die-after`: it is done, and the server is gone, as if killed, instead of a reply.
    DieAfter,
    /// `unavailable`, `unavailable:REASON`: nothing is done; gRPC status UNAVAILABLE.
    Unavailable(String),
    /// `unimplemented`: nothing is done; gRPC status UNIMPLEMENTED. `*=unimplemented` is what a
    /// Milvus 2.x answers to clients of 1.x.
    Unimplemented,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let wrong = |what: &str| format!("fault `{text}`: {what}");
        let end = text.find(['@', ':', '=']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let call = match name {
            "*" => None,
            _ => Some(Call::named(name).ok_or_else(|| wrong("there is no such call"))?),
        };
        let (when, effect) = if let Some(rest) = rest.strip_prefix(":id=") {
            let (id, effect) = rest.split_once('=').ok_or_else(|| wrong("no effect"))?;
            let id = id.parse().map_err(|_| wrong("the id is no number"))?;
            (When::HasId(id), effect)
        } else if let Some(effect) = rest.strip_prefix(":nan=") {
            (When::HasNan, effect)
        } else if let Some(rest) = rest.strip_prefix('@') {
            let (count, effect) = rest.split_once('=').ok_or_else(|| wrong("no effect"))?;
            let number = count.trim_end_matches('+');
            let number = number.parse();
            let number = number.map_err(|_| wrong("what follows `@` is no number"))?;
            match count.ends_with('+') {
                true => (When::From(number), effect),
                false => (When::At(number), effect),
            }
        } else {
            let effect = rest.strip_prefix('=').ok_or_else(|| wrong("no effect"))?;
            (When::Always, effect)
        };
        let effect = effect.parse().map_err(|what: String| wrong(&what))?;
        Ok(Fault { call, when, effect })
    }
}

impl FromStr for Effect {
    type Err = String;

    fn from_str(text: &str) -> Result<Effect, String> {
        let (word, said) = text.split_once(':').unwrap_or((text, ""));
        Ok(match word {
            "stall" => Effect::Stall,
            "drop-before" => Effect::DropBefore,
            "drop-after" => Effect::DropAfter,
            "die-before" => Effect::DieBefore,
            "die-after" => Effect::DieAfter,
            "unavailable" => Effect::Unavailable(said.to_owned()),
            "unimplemented" => Effect::Unimplemented,
            "delay" => {
                let ms = said.parse().map_err(|_| "no milliseconds after `delay:`")?;
                Effect::Delay(Duration::from_millis(ms))
            }
            _ => Effect::Refuse(Refusal {
                code: refused_code(word)?,
                reason: said.to_owned(),
            }),
        })
    }
}

fn refused_code(word: &str) -> Result<ErrorCode, String> {
    let Some(code) = word.strip_prefix("refuse") else {
        return Err(format!("there is no effect `{word}`"));
    };
    if code.is_empty() {
        return Ok(ErrorCode::UnexpectedError);
    }
    let number = code
        .strip_prefix('(')
        .and_then(|code| code.strip_suffix(')'));
    let number = number.and_then(|number| number.parse().ok());
    let code = number.and_then(|number: i32| ErrorCode::try_from(number).ok());
    code.ok_or_else(|| format!("`{word}` has no error code"))
}

/// The faults that are set, with how often each was near.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Faults {
        Faults(faults.into_iter().map(|fault| (fault, 0)).collect())
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether elements have to be read to tell whom a fault befalls.
    pub(crate) fn look_at_elements(&self) -> bool {
        self.0.iter().any(|(fault, _)| fault.when == When::HasNan)
    }

    /// What befalls a call that came in: the first fault that fits, while all count it.
    pub(crate) fn strike(&mut self, call: Call, insertion: Option<&Insertion>) -> Option<Effect> {
        let mut struck = None;
        for (fault, seen) in &mut self.0 {
            if fault.call.is_some_and(|own| own != call) {
                continue;
            }
            *seen += 1;
            let fits = match fault.when {
                When::Always => true,
                When::At(number) => *seen == number,
                When::From(number) => *seen >= number,
                When::HasId(id) => insertion.is_some_and(|i| i.ids.contains(&id)),
                When::HasNan => insertion.is_some_and(Insertion::has_nan),
            };
            if fits && struck.is_none() {
                struck = Some(fault.effect.clone());
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let fault: Fault = "insert:id=-5=refuse(11):no: fives".parse().unwrap();
        assert_eq!(fault.call, Some(Call::Insert));
        assert_eq!(fault.when, When::HasId(-5));
        let refusal = Refusal {
            code: ErrorCode::IllegalRowrecord,
            reason: "no: fives".to_owned(),
        };
        assert_eq!(fault.effect, Effect::Refuse(refusal));
        let fault: Fault = "get_vectors_by_id@3+=delay:20".parse().unwrap();
        assert_eq!(fault.call, Some(Call::GetVectorsByID));
        assert_eq!(fault.when, When::From(3));
        assert_eq!(fault.effect, Effect::Delay(Duration::from_millis(20)));
        assert_eq!("*=stall".parse::<Fault>().unwrap().call, None);
    }

    #[test]
    fn texts_that_are_no_fault_say_what_is_wrong() {
        for (text, what) in [
            ("", "there is no such call"),
            ("insect@1=stall", "there is no such call"),
            ("insert", "no effect"),
            ("insert@x=stall", "what follows `@` is no number"),
            ("insert=explode", "there is no effect `explode`"),
            ("insert=refuse(6):x", "`refuse(6)` has no error code"),
            ("insert=delay:soon", "no milliseconds after `delay:`"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert_eq!(error, format!("fault `{text}`: {what}"));
        }
    }

    #[test]
    fn a_fault_befalls_the_call_it_counts_to() {
        let mut faults = Faults::new(vec!["flush@2=stall".parse().unwrap()]);
        assert_eq!(faults.strike(Call::Flush, None), None);
        assert_eq!(faults.strike(Call::Compact, None), None);
        assert_eq!(faults.strike(Call::Flush, None), Some(Effect::Stall));
        assert_eq!(faults.strike(Call::Flush, None), None);
    }
}
