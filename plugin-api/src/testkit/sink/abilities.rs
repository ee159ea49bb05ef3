// SPDX-License-Identifier: Apache-2.0
//! Cases for what a sink declares, and for what it refuses before anything is written.

use super::place::{ROWS, pieces, target};
use super::{Asked, Checked, shapes};
use crate::Mode;
use crate::model::{Capabilities, Elem, Kind, Metric, VectorType};
use crate::testkit::report::{ensure, fail, skip};

pub(super) const CASES: [super::Case; 3] = [
    (
        "its capabilities are sound and the same each time",
        capabilities_are_sound,
    ),
    ("opening and checking write nothing", checks_without_writing),
    (
        "a column that it can't hold is refused by name",
        refuses_columns,
    ),
];

fn capabilities_are_sound(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let found = place.sink.capabilities()?;
    ensure!(
        found == place.sink.capabilities()?,
        "asked again, it declares others"
    );
    ensure!(
        found == asked.capabilities()?,
        "opened again, it declares others"
    );
    let known = |list: &[String], names: &[&str], what: &str| -> Checked {
        match list.iter().find(|n| !names.contains(&n.as_str())) {
            Some(odd) => fail(format!("{what} `{odd}` is none of {names:?}")),
            None => Ok(()),
        }
    };
    known(
        &found.id_types,
        &["Int64", "UInt64", "Utf8", "Uuid"],
        "id type",
    )?;
    known(
        &found.id_policy,
        &["given", "generate", "none"],
        "id policy",
    )?;
    let gives = found.id_policy.iter().any(|p| p == "given");
    ensure!(
        gives != found.id_types.is_empty(),
        "id policy {:?} does not go with id types {:?}",
        found.id_policy,
        found.id_types
    );
    for metric in found.metrics.iter().chain(found.alters_vectors.keys()) {
        ensure!(
            Metric::from_name(metric).is_some(),
            "metric `{metric}` is not canonical"
        );
    }
    vectors_are_sound(&found)?;
    scalars_are_sound(&found)?;
    for (what, limit) in [
        ("max_request_bytes", found.max_request_bytes),
        ("max_request_rows", found.max_request_rows),
        ("max_string_bytes", found.max_string_bytes),
        ("max_name", found.max_name),
    ] {
        ensure!(limit != Some(0), "`{what}` is 0: nothing could be written");
    }
    Ok(())
}

fn vectors_are_sound(found: &Capabilities) -> Checked {
    ensure!(
        !found.vectors.is_empty() || !found.scalar_types.is_empty(),
        "it declares neither vectors nor scalars that it holds"
    );
    for vector in &found.vectors {
        let kind = vector.kind;
        ensure!(
            !vector.elem.is_empty(),
            "its {kind} vectors have no elements"
        );
        ensure!(
            vector.dim_multiple != Some(0)
                && vector.max_dim != Some(0)
                && vector.max_count != Some(0),
            "its {kind} vectors have a limit of 0"
        );
        for elem in &vector.elem {
            let fits = match kind {
                Kind::Binary => *elem == Elem::Bit,
                Kind::Dense | Kind::Sparse => *elem != Elem::Bit,
                Kind::Multi => true,
            };
            ensure!(fits, "{kind} vectors can't have elements of {elem}");
        }
    }
    Ok(())
}

/// A scalar type is one of the wire types' names, or a list of one.
fn scalars_are_sound(found: &Capabilities) -> Checked {
    const MORE: [&str; 4] = ["*", "Null", "Wkb", "Opaque"];
    let wire: Vec<String> = shapes::scalars()
        .iter()
        .map(crate::model::wire::type_name)
        .collect();
    let known = |name: &str| {
        MORE.contains(&name) || wire.iter().any(|w| w == name) || VECTORS.contains(&name)
    };
    for name in &found.scalar_types {
        let mut inner = name.as_str();
        while let Some(item) = inner
            .strip_prefix("List<")
            .or_else(|| inner.strip_prefix("FixedSizeList<"))
            .and_then(|i| i.strip_suffix('>'))
        {
            inner = item;
        }
        ensure!(known(inner), "scalar type `{name}` is the name of none");
    }
    Ok(())
}

/// Wire types that the sample schemas leave out.
const VECTORS: [&str; 2] = ["FixedSizeBinary", "Date32"];

fn checks_without_writing(asked: &Asked) -> Checked {
    let place = asked.place()?;
    let before = place.files();
    let schema = shapes::usual(&place.sink.capabilities()?)?;
    for mode in [Mode::Fail, Mode::Skip, Mode::Append, Mode::Overwrite] {
        let target = target("suite", &schema, mode, ROWS);
        let state = place.state(&target)?;
        ensure!(
            state.refusals.is_empty() || mode == Mode::Append,
            "{mode:?}: where nothing is, it refuses: {:?}",
            state.refusals
        );
        ensure!(!state.exists, "{mode:?}: it sees a target where nothing is");
        ensure!(
            state.rows.unwrap_or(0) == 0,
            "{mode:?}: it sees {:?} rows where nothing is",
            state.rows
        );
        ensure!(
            !state.location.is_empty(),
            "{mode:?}: it does not say where the target is"
        );
        before
            .expect_same(&place.files())
            .map_err(|w| w.at(format_args!("{mode:?}")))?;
    }
    Ok(())
}

fn refuses_columns(asked: &Asked) -> Checked {
    let capabilities = asked.capabilities()?;
    let shapes = shapes::beyond(&capabilities)?;
    if shapes.is_empty() {
        return skip("it declares that it holds everything");
    }
    for shape in shapes {
        let place = asked.place()?;
        let before = place.files();
        let about = &shape.about;
        let target = target("suite", &shape.schema, Mode::Fail, ROWS);
        let error = match place.sink.prepare(&target) {
            Err(error) => error,
            Ok(writer) => {
                // Perhaps it finds out when it sees the rows.
                let rows = pieces(&shape.schema, 0, ROWS)?;
                let written = rows.into_iter().map(|(at, batch)| writer.write(at, batch));
                return match written.collect::<crate::Result<Vec<_>>>() {
                    Err(error) => fail(format!(
                        "{about}: only `write` refused what `prepare` should: {error}"
                    )),
                    Ok(_) => fail(format!("{about}: it takes what it does not declare")),
                };
            }
        };
        ensure!(
            error.to_string().contains("odd"),
            "{about}: the refusal does not name the column, `odd`: {error}"
        );
        before
            .expect_same(&place.files())
            .map_err(|w| w.at(about))?;
        ensure!(
            !place.exists(&target)?,
            "{about}: refused, but the target is there"
        );
    }
    Ok(())
}

/// The vector type of the only vector column, if there is one.
pub(super) fn lone_vector(schema: &arrow_schema::Schema) -> Option<(usize, VectorType)> {
    let fields = schema.fields().iter().enumerate();
    let mut vectors = fields.filter_map(|(i, f)| Some((i, VectorType::of(f).ok()??)));
    vectors.next().filter(|_| vectors.next().is_none())
}
