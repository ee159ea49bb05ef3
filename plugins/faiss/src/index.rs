// SPDX-License-Identifier: Apache-2.0
//! One index file: its tree, how it is read, and the readers of its splits.
//!
//! The file is looked at once, when the source is opened, and opened again for each split; a
//! file that is not the same by then is refused.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use arrow_schema::{DataType, SchemaRef};
use milvusdm_plugin_api::model::{BitOrder, Elem, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{Error, ErrorKind, FileStamp, ReadRequest, Result, Services, Split};

use crate::decoder::{Decoder, Tables};
use crate::format::invlists::ListTable;
use crate::format::{self, IndexFile, Parsed, ReadAt};
use crate::ids::{self, IdMaps};
use crate::layout::{Layout, Storage};
use crate::on_disk;
use crate::options::{Lossy, SourceOptions, Space};
use crate::paths::Place;
use crate::reader::{Pools, Scratch, Shape, SplitReader};
use crate::rows::duplicates::{DuplicateRows, Places};
use crate::rows::{FlatRows, ListRows, Rows};
use crate::splits::{self, Part, Planned};

/// An index file that was looked at.
#[derive(Debug)]
pub struct Index {
    /// The file and its collection.
    pub place: Place,
    /// Its tree.
    pub parsed: Parsed,
    /// How it is read, or why it can't be.
    pub layout: Result<Layout>,
    /// Changes when the content does.
    pub fingerprint: String,
    stamp: FileStamp,
    /// The file with on-disk lists.
    lists: Option<(PathBuf, FileStamp)>,
    lossy: Lossy,
    services: Services,
    pools: Arc<Pools>,
    splits: OnceLock<Result<Vec<Planned>>>,
    /// Where the vectors of pairs are, if that is kept in a file.
    places: OnceLock<Arc<Places>>,
    /// Held by the readers that there are: a folder may have more indexes than memory has room
    /// for their tables.
    tables: Mutex<Weak<Tables>>,
}

/// The index file and the file of its lists, which may be the same.
type Files = (Arc<dyn ReadAt>, Arc<dyn ReadAt>);

impl Index {
    /// Looks at a file.
    ///
    /// # Errors
    /// `Format` for damage, `NotFound` where on-disk lists are missing, `Unsupported` for what is
    /// no Faiss index; an index that vectors can't be read from is no error yet.
    pub fn open(
        place: Place,
        options: &SourceOptions,
        services: &Services,
        pools: &Arc<Pools>,
    ) -> Result<Self> {
        let file = IndexFile::open(&place.path, true, services)?;
        let fingerprint = file.fingerprint()?;
        let stamp = file.stamp();
        let file: Arc<dyn ReadAt> = Arc::new(file);
        let parsed = format::parse(file.as_ref())?;
        let layout = Layout::of(&file, &parsed.root, options.space);
        let layout = match layout {
            Err(e) if e.kind() != ErrorKind::Unsupported => return Err(e),
            layout => layout.map_err(|e| e.with("file", place.path.display())),
        };
        let mut index = Self {
            fingerprint: structure(&parsed, options.space, &fingerprint),
            place,
            parsed,
            layout,
            stamp,
            lists: None,
            lossy: options.lossy,
            services: services.clone(),
            pools: pools.clone(),
            splits: OnceLock::new(),
            places: OnceLock::new(),
            tables: Mutex::default(),
        };
        index.find_lists(&file, options)?;
        Ok(index)
    }

    /// Finds the file with on-disk lists, if there are any.
    fn find_lists(&mut self, file: &Arc<dyn ReadAt>, options: &SourceOptions) -> Result<()> {
        let on_disk = self
            .layout
            .as_ref()
            .ok()
            .and_then(|layout| match &layout.storage {
                Storage::Lists { lists, .. } => match &lists.table {
                    ListTable::OnDisk { file_name, .. } => Some((lists.clone(), file_name.clone())),
                    _ => None,
                },
                Storage::Flat { .. } => None,
            });
        let Some((lists, file_name)) = on_disk else {
            return match &options.lists {
                None => Ok(()),
                Some(lists) => Err(Error::new(
                    ErrorKind::Config,
                    format!("option `lists` is `{lists}`, but the index has no on-disk lists"),
                )
                .with("option", "lists")),
            };
        };
        let opened = match &options.lists {
            Some(path) => IndexFile::open(Path::new(path), true, &self.services)?,
            None => on_disk::beside(&self.place.path, &file_name, &self.services)?,
        };
        on_disk::check(file, &lists, &opened)
            .map_err(|e| e.with("lists", opened.path().display()))?;
        self.fingerprint = format!("{} lists=({})", self.fingerprint, opened.fingerprint()?);
        self.lists = Some((opened.path().to_owned(), opened.stamp()));
        Ok(())
    }

    /// Why the index can't be read under these options, if so.
    pub fn refusal(&self) -> Option<Error> {
        let layout = match &self.layout {
            Ok(layout) => layout,
            Err(e) => return Some(e.clone()),
        };
        if self.lossy == Lossy::Allow || layout.losses.is_empty() {
            return None;
        }
        let mut cure =
            "allow it with `lossy: allow`, or export an index that keeps whole vectors".to_owned();
        if !layout.undo.is_empty() {
            cure.push_str("; `space: stored` takes the transformed vectors as they are");
        }
        Some(
            Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the vectors of a {} can't be given back as they were put in: {}",
                    self.parsed.root.nested(),
                    layout.losses.join("; ")
                ),
            )
            .with("file", self.place.path.display())
            .help(cure),
        )
    }

    /// Columns of the rows.
    ///
    /// # Errors
    /// `Unsupported` for an index without dimensions.
    pub fn schema(&self) -> Result<SchemaRef> {
        let header = self.parsed.root.header;
        let vector = match &self.layout {
            Ok(layout) => layout.vector_type(),
            Err(e) if header.dim == 0 => return Err(e.clone()),
            Err(_) if self.parsed.root.is_binary => VectorType::binary(header.dim, BitOrder::Lsb),
            Err(_) => VectorType::dense(Elem::F32, header.dim),
        };
        if vector.dim == 0 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the index has 0 dimensions, so there is nothing in it",
            )
            .with("file", self.place.path.display()));
        }
        SchemaBuilder::new()
            .id("id", DataType::Int64)
            .vector("vector", &vector)?
            .finish()
    }

    /// The splits, in order.
    ///
    /// # Errors
    /// `Unsupported` for an index that can't be read under these options.
    pub fn splits(&self) -> Result<&[Planned]> {
        let splits = self.splits.get_or_init(|| self.plan());
        splits
            .as_deref()
            .map_err(|e| match e.context_value("file") {
                Some(_) => e.clone(),
                None => e.clone().with("file", self.place.path.display()),
            })
    }

    fn plan(&self) -> Result<Vec<Planned>> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let layout = self.layout.as_ref().map_err(Clone::clone)?;
        let (file, data) = self.reopen()?;
        ids::check(&file, data.as_ref(), layout)?;
        // Tables that can't be had must show before the first row is written, too.
        let held_bytes = match layout.is_direct() || layout.rows() == 0 {
            true => 0,
            false => self.tables(&file, layout)?.held_bytes(),
        };
        let splits = splits::plan(&file, layout, &self.fingerprint, held_bytes)?;
        if splits
            .iter()
            .any(|planned| matches!(planned.part, Part::Pairs(_)))
        {
            // A pair that leads nowhere must show before the first row is written.
            self.places(layout, &(file, data))?;
        }
        Ok(splits)
    }

    /// Where the vectors of pairs are.
    fn places(&self, layout: &Layout, (file, data): &Files) -> Result<Arc<Places>> {
        if let Some(places) = self.places.get() {
            return Ok(places.clone());
        }
        let Storage::Lists {
            lists,
            instances: Some(pairs),
            ..
        } = &layout.storage
        else {
            return Err(Error::new(ErrorKind::Internal, "an index has no pairs"));
        };
        let places = Arc::new(Places::find(file, data.as_ref(), lists, *pairs)?);
        Ok(match places.is_in_file() {
            true => self.places.get_or_init(|| places).clone(),
            false => places,
        })
    }

    /// Opens the files again, if they are the same.
    fn reopen(&self) -> Result<Files> {
        let same = |path: &Path, stamp: FileStamp| -> Result<Arc<dyn ReadAt>> {
            let file = IndexFile::open(path, true, &self.services)?;
            match file.stamp() == stamp {
                true => Ok(Arc::new(file)),
                false => Err(FileStamp::changed().with("file", path.display())),
            }
        };
        let file = same(&self.place.path, self.stamp)?;
        let data = match &self.lists {
            Some((path, stamp)) => same(path, *stamp)?,
            None => file.clone(),
        };
        Ok((file, data))
    }

    fn rows(&self, layout: &Layout, files: &Files, part: &Part) -> Result<Box<dyn Rows>> {
        let (file, data) = files;
        let misfit = || Error::new(ErrorKind::Internal, "a split does not belong to its index");
        Ok(match (part, &layout.storage) {
            (Part::Rows(rows), Storage::Flat { at, packing, .. }) => {
                Box::new(FlatRows::new(file.clone(), *packing, *at, rows.clone()))
            }
            (Part::Lists(range), Storage::Lists { lists, packing, .. }) => Box::new(ListRows::new(
                file.clone(),
                data.clone(),
                lists,
                *packing,
                *range,
            )),
            (Part::Pairs(range), Storage::Lists { .. }) => {
                let places = self.places(layout, files)?;
                Box::new(DuplicateRows::new(data.clone(), places, range.clone()))
            }
            _ => return Err(misfit()),
        })
    }

    /// Opens a split for reading.
    ///
    /// # Errors
    /// `Config` for a split that is not one of [`splits`](Self::splits), `Format` if a file
    /// changed.
    pub fn read(&self, split: &Split, request: &ReadRequest) -> Result<SplitReader> {
        let planned = self
            .splits()?
            .iter()
            .find(|known| known.split.id == split.id);
        let planned = planned.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("the index has no split `{}`", split.id),
            )
            .with("file", self.place.path.display())
        })?;
        if planned.split.fingerprint != split.fingerprint {
            return Err(Error::new(
                ErrorKind::Format,
                "the file is not the one that the run was planned with",
            )
            .with("file", self.place.path.display())
            .with("found", &planned.split.fingerprint)
            .with("expected", &split.fingerprint)
            .help("plan the run again"));
        }
        let layout = self.layout.as_ref().map_err(Clone::clone)?;
        let files = self.reopen()?;
        let mut rows = self.rows(layout, &files, &planned.part)?;
        rows.skip(request.first_row)?;
        let (file, data) = files;
        let decoder = match layout.is_direct() {
            true => None,
            false => Some(Decoder::new(&file, self.tables(&file, layout)?)),
        };
        Ok(SplitReader {
            name: self.place.path.display().to_string(),
            shape: self.shape(layout, planned.split.found.unwrap_or(0))?,
            rows,
            decoder,
            ids: IdMaps::new(file.clone(), layout),
            files: match self.lists {
                Some(_) => vec![file, data],
                None => vec![file],
            },
            pools: self.pools.clone(),
            services: self.services.clone(),
            request: *request,
            given: request.first_row,
            scratch: Scratch::default(),
        })
    }

    fn shape(&self, layout: &Layout, found: u64) -> Result<Shape> {
        let (Storage::Flat { packing, .. } | Storage::Lists { packing, .. }) = &layout.storage;
        Ok(Shape {
            schema: self.schema()?,
            code_bytes: packing.code_bytes(),
            vector_bytes: layout.vector_bytes(),
            elements: if layout.is_binary {
                1
            } else {
                layout.dim.into()
            },
            found,
        })
    }

    /// What decoding needs, opened by the first of the readers that there are.
    fn tables(&self, file: &Arc<dyn ReadAt>, layout: &Layout) -> Result<Arc<Tables>> {
        let mut held = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = held.upgrade() {
            return Ok(tables);
        }
        let tables = Arc::new(Tables::open(file, layout)?);
        *held = Arc::downgrade(&tables);
        Ok(tables)
    }
}

fn structure(parsed: &Parsed, space: Space, file: &str) -> String {
    let root = &parsed.root;
    let space = match space {
        Space::Original => "original",
        Space::Stored => "stored",
    };
    format!(
        "{file} type={} dim={} ntotal={} space={space}",
        root.nested(),
        root.header.dim,
        root.header.ntotal
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_tables_and_the_last_takes_them_along() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/faiss");
        let place = Place {
            path: golden.join("opq4_16_flat.index"),
            collection: "opq".to_owned(),
        };
        let options = SourceOptions::at("opq");
        let services = Services::detached();
        let index = Index::open(place, &options, &services, &Arc::default()).unwrap();
        let tables = || index.tables.lock().unwrap().strong_count();
        let planned = index.splits().unwrap().first().unwrap().clone();
        assert!(planned.split.held_bytes > 0);
        assert_eq!(tables(), 0);
        let request = ReadRequest {
            first_row: 0,
            max_batch_bytes: 1 << 20,
            max_batch_rows: None,
        };
        let first = index.read(&planned.split, &request).unwrap();
        let opened = index.tables.lock().unwrap().upgrade().unwrap();
        let second = index.read(&planned.split, &request).unwrap();
        assert!(Weak::ptr_eq(
            &index.tables.lock().unwrap(),
            &Arc::downgrade(&opened)
        ));
        drop(opened);
        assert_eq!(tables(), 2);
        drop((first, second));
        assert_eq!(tables(), 0);
    }
}
