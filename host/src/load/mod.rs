// SPDX-License-Identifier: Apache-2.0
//! Plugins from outside: from a name to a handle on a library that was checked.
//!
//! The order: [`places`] to search → [`access`] (who may have written the file) → [`copy`] (the
//! very bytes that are checked are the ones that run) → [`elf`] (whole, of this machine, with one
//! of our doors; no code runs) → [`pins`] (does the user trust these bytes) → [`enter`] (dlopen,
//! door, gate, info). Each step that a candidate passes is told to its [`Trace`], and the one
//! that refuses it is an error that says why.
//!
//! Only [`enter`] and [`process`] have unsafe code.

mod access;
mod copy;
mod digest;
mod elf;
mod enter;
mod pins;
mod places;
mod process;
mod trace;

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::abi::PluginHandle;
use milvusdm_plugin_api::abi::note::NoteDoc;
use milvusdm_plugin_api::{Error, ErrorKind, PluginInfo, Result, is_plugin_name};

use access::Consent;
use copy::PrivateCopy;
pub use digest::Digest;
pub use elf::Facts;
pub use pins::{Pin, Pins};
pub use places::{Origin, Place, file_name, name_of};
pub use process::{at_exit, heed_exit_first, print};
pub use trace::{Step, Trace};

use crate::plugin_options::PluginOptions;
use crate::program::typed;

/// What is known of a file that passed every check that runs no code of it.
#[derive(Debug)]
pub struct Known {
    /// The file, its links resolved.
    pub path: PathBuf,
    /// What its note or else its file name says it is called.
    pub name: String,
    /// What stands in the file.
    pub facts: Facts,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// Such a file, with the bytes that were checked.
#[derive(Debug)]
pub struct Candidate {
    /// What is known of it.
    pub known: Known,
    copy: PrivateCopy,
    consent: Consent,
}

/// A plugin that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Calls into it.
    pub handle: PluginHandle,
    /// What it says of itself.
    pub info: PluginInfo,
    /// The file that it came from.
    pub path: PathBuf,
    /// SHA-256 of the bytes that run.
    pub digest: Digest,
}

/// What came of looking for a plugin.
#[derive(Debug, Default)]
pub struct Search {
    /// The plugin, if one was loaded.
    pub loaded: Option<Loaded>,
    /// Why files of that name were refused before it, in the order in which they were tried.
    pub refused: Vec<Error>,
    /// Every place that was searched, with why no file was tried there; `None` if one was.
    pub searched: Vec<(String, Option<String>)>,
}

impl Search {
    /// Loads a file, or keeps why it can't be.
    fn take(
        &mut self,
        candidate: Result<Candidate>,
        name: &str,
        pins: &Result<Pins>,
        trace: &mut Trace<'_>,
    ) {
        let loaded = candidate.and_then(|candidate| {
            candidate.expect_name(name)?;
            candidate.expect_trust(pins, trace)?;
            let file = candidate.known.path.display();
            // Before its code runs, which may end the process without another word.
            tracing::info!(%file, "Loading the plugin `{name}`.");
            candidate.load(trace)
        });
        match loaded {
            Ok(loaded) => self.loaded = Some(loaded),
            Err(error) => self.refused.push(error),
        }
    }
}

/// Looks for plugins in the places that the user's options and the system name.
#[derive(Debug)]
pub struct Loader {
    places: Vec<Place>,
    allowed: Vec<PathBuf>,
}

impl Loader {
    /// A loader for these options and this process's environment.
    pub fn new(options: &PluginOptions) -> Self {
        Self {
            places: places::list(&options.dirs),
            allowed: options.allowed.clone(),
        }
    }

    /// Looks for a plugin and loads the first file of its name that is not refused.
    pub fn find(&self, name: &str) -> Search {
        let mut search = Search::default();
        self.find_allowed(name, &mut search);
        let pins = Pins::read();
        for place in &self.places {
            if search.loaded.is_some() {
                break;
            }
            let path = place.dir.join(file_name(name));
            let nothing = match (place.state(), path.symlink_metadata()) {
                (Err(why), _) => Some(why),
                (Ok(()), Err(_)) => Some(format!("no {}", file_name(name))),
                (Ok(()), Ok(_)) => {
                    let trace = &mut Trace::new(&path);
                    let candidate = examine(&path, place.origin.consent(), trace);
                    search.take(candidate, name, &pins, trace);
                    None
                }
            };
            search.searched.push((place.to_string(), nothing));
        }
        search
    }

    /// Tries the files that are named for this run.
    fn find_allowed(&self, name: &str, search: &mut Search) {
        for path in &self.allowed {
            let trace = &mut Trace::new(path);
            let candidate = examine(path, Consent::Named, trace);
            // A file of another name is for another plugin; one that can't be looked at may be
            // the one that is meant.
            let place = format!("{} (--allow-plugin)", path.display());
            if let Ok(Candidate { known, .. }) = &candidate
                && known.name != name
            {
                let nothing = format!("holds the plugin `{}`", known.name);
                search.searched.push((place, Some(nothing)));
                continue;
            }
            search.searched.push((place, None));
            search.take(candidate, name, &Ok(Pins::none()), trace);
            if search.loaded.is_some() {
                break;
            }
        }
    }

    /// Every plugin file in the places, looked at without running any of it.
    pub fn list(&self) -> Vec<Listed> {
        let pins = Pins::read();
        let named = self
            .allowed
            .iter()
            .map(|path| (path.clone(), Consent::Named));
        let placed = self.places.iter().flat_map(|place| {
            let files = place.files().into_iter();
            files.map(|path| (path, place.origin.consent()))
        });
        named
            .chain(placed)
            .map(|(path, consent)| Listed::of(path, consent, &pins))
            .collect()
    }
}

/// A file in a place, by what is known without running it.
#[derive(Debug)]
pub struct Listed {
    /// The file as it was found.
    pub path: PathBuf,
    /// What it is, if that can be told. Its bytes are let go: a folder may hold many files.
    pub known: Option<Known>,
    /// Why it would not be loaded.
    pub refused: Option<Error>,
}

impl Listed {
    fn of(path: PathBuf, consent: Consent, pins: &Result<Pins>) -> Self {
        let trace = &mut Trace::new(&path);
        let (known, refused) = match examine(&path, consent, trace) {
            Ok(candidate) => {
                let trusted = candidate.expect_trust(pins, trace);
                // Only under its own name is it found in a folder.
                let refused = match name_of(&path).filter(|_| consent != Consent::Named) {
                    Some(name) => trusted.and_then(|()| candidate.expect_name(&name)),
                    None => trusted,
                };
                (Some(candidate.known), refused.err())
            }
            Err(error) => (None, Some(error)),
        };
        Self {
            path,
            known,
            refused,
        }
    }
}

/// Looks at a file by name, as a user who names it may: for `trust` and `check`.
///
/// # Errors
/// Whatever refuses the file before any code of it runs.
pub fn examine_named(path: &Path, trace: &mut Trace<'_>) -> Result<Candidate> {
    examine(path, Consent::Named, trace)
}

/// Looks at a file that is to be trusted for good: with the rules of the search list.
///
/// # Errors
/// As [`examine_named`].
pub fn examine_for_trust(path: &Path, trace: &mut Trace<'_>) -> Result<Candidate> {
    examine(path, Consent::Pinned, trace)
}

/// Checks a file up to the point where its code would run.
fn examine(path: &Path, consent: Consent, trace: &mut Trace<'_>) -> Result<Candidate> {
    let checked = access::open(path, consent, trace)?;
    let at = |error: Error| error.with("file", checked.path.display());
    // Anything may be found in a folder: only what could be a library is copied.
    elf::expect_library(&checked.file).map_err(at)?;
    let copy = PrivateCopy::of(&checked.file, &checked.path)?;
    trace.pass("content", format!("{} bytes", copy.bytes()));
    let facts = elf::preflight(copy.file(), copy.bytes()).map_err(at)?;
    for folder in &facts.folders {
        access::check_search(folder, consent).map_err(at)?;
    }
    trace.pass("format", facts.to_string());
    let name = plugin_name(&checked.path, facts.note.as_ref())?;
    Ok(Candidate {
        known: Known {
            path: checked.path,
            name,
            facts,
            digest: copy.digest().clone(),
        },
        copy,
        consent,
    })
}

/// A plugin always knows what it is, so that whatever keeps it from saying so is its own fault.
fn speechless(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Plugin | ErrorKind::Panic => error,
        _ => Error::new(
            ErrorKind::Plugin,
            "the plugin fails where it is asked what it is",
        )
        .caused_by(error),
    }
}

/// What a file says it is: by its note, else by its name.
fn plugin_name(path: &Path, note: Option<&NoteDoc>) -> Result<String> {
    if let Some(note) = note {
        if is_plugin_name(&note.name) {
            return Ok(note.name.clone());
        }
        let message = format!(
            "the plugin's note calls it {:?}, which is no name",
            note.name
        );
        return Err(Error::new(ErrorKind::Plugin, message)
            .with("file", path.display())
            .help("a name is 1 to 64 lower-case letters, digits and `_`, a letter first"));
    }
    places::name_of(path).ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "the plugin has neither a note with its name nor a file name that says it",
        )
        .with("file", path.display())
        .help("call the file `libmilvusdm_NAME.so`")
    })
}

impl Candidate {
    fn expect_name(&self, name: &str) -> Result<()> {
        if self.known.name == name {
            return Ok(());
        }
        let message = format!(
            "the file holds the plugin `{}`, wanted `{name}`",
            self.known.name
        );
        Err(Error::new(ErrorKind::Plugin, message)
            .with("file", self.known.path.display())
            .help(format!("call it `{}`", file_name(&self.known.name))))
    }

    /// That these very bytes may run: from the system's folder, named for this run, or pinned.
    fn expect_trust(&self, pins: &Result<Pins>, trace: &mut Trace<'_>) -> Result<()> {
        let why = match self.consent {
            Consent::System => "it stands in the system's folder".to_owned(),
            Consent::Named => "it is named for this run".to_owned(),
            Consent::Pinned => {
                let pins = pins.as_ref().map_err(Clone::clone)?;
                let Some(pin) = pins.of(self.known.digest.hexadecimal()?) else {
                    return Err(self.untrusted(pins));
                };
                format!("its content was trusted as `{}`", pin.name)
            }
        };
        trace.pass("trust", why);
        Ok(())
    }

    fn untrusted(&self, pins: &Pins) -> Error {
        let path = access::quoted(&self.known.path);
        let message = match pins.was_trusted(&self.known.path) {
            true => "the file was trusted, but it has changed since",
            false => "the file is not trusted",
        };
        Error::new(ErrorKind::Denied, message)
            .with("file", self.known.path.display())
            .help(format!(
                "look at it with {}; then {}, or `--allow-plugin {path}` for one run",
                typed(&format!("plugins check {path}")),
                typed(&format!("plugins trust {path}"))
            ))
    }

    /// Loads it: from here on its code runs in this process.
    ///
    /// # Errors
    /// `Plugin` or `Panic`, for whatever it does not keep of the contract.
    pub fn load(self, trace: &mut Trace<'_>) -> Result<Loaded> {
        let Self { known, copy, .. } = self;
        let Known {
            path,
            name,
            facts,
            digest,
        } = known;
        let at = |error: Error| error.with("file", path.display());
        facts.expect_unwinding().map_err(at)?;
        let entered = enter::enter(&copy, &facts, trace);
        // Of one that was refused at its door too: it stays loaded all the same.
        copy.keep();
        let handle = entered.map_err(at)?;
        let info = handle.info().map_err(speechless).map_err(at)?;
        if info.name != name {
            let message = format!("the plugin calls itself `{}`, its file `{name}`", info.name);
            return Err(at(Error::new(ErrorKind::Plugin, message)));
        }
        elf::expect_unwinding(info.panic).map_err(at)?;
        trace.pass("info", format!("{} {}", info.name, info.version));
        Ok(Loaded {
            handle,
            info,
            path,
            digest,
        })
    }
}
