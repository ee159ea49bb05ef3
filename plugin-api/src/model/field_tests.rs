// SPDX-License-Identifier: Apache-2.0
//! What metadata says, written and read back.

use super::*;

#[test]
fn a_vector_type_reads_back_from_its_own_field() {
    for elem in Elem::ALL.iter().copied() {
        let vector = match elem {
            Elem::Bit => VectorType::binary(12, BitOrder::Lsb),
            _ => VectorType::dense(elem, 12),
        };
        let vector = vector.with_metric(Some("l2"));
        let field = vector.field("v").unwrap();
        assert_eq!(VectorType::of(&field).unwrap(), Some(vector));
    }
}

#[test]
fn kind_and_element_must_go_together() {
    let mut vector = VectorType::dense(Elem::Bit, 8);
    assert!(vector.data_type().is_err());
    vector = VectorType {
        elem: Elem::F32,
        ..VectorType::binary(8, BitOrder::Msb)
    };
    assert!(vector.data_type().is_err());
}

#[test]
fn a_dimension_of_zero_or_too_many_is_refused() {
    assert!(VectorType::dense(Elem::F32, 0).field("v").is_err());
    assert!(
        VectorType::dense(Elem::F32, keys::MAX_DIM + 1)
            .field("v")
            .is_err()
    );
}

#[test]
fn a_scalar_is_no_vector_and_an_unknown_role_is_an_error() {
    let scalar = Field::new("s", DataType::Int64, true);
    assert_eq!(VectorType::of(&scalar).unwrap(), None);
    let odd = scalar.with_metadata(HashMap::from([(keys::ROLE.to_owned(), "king".to_owned())]));
    assert!(role(&odd).unwrap_err().to_string().contains("`king`"));
}

#[test]
fn values_of_a_later_version_are_told_from_broken_ones() {
    let good = VectorType::binary(12, BitOrder::Lsb).field("v").unwrap();
    let kind_of = |key: &str, value: Option<&str>| {
        let mut metadata = good.metadata().clone();
        match value {
            Some(value) => metadata.insert(key.to_owned(), value.to_owned()),
            None => metadata.remove(key),
        };
        let field = good.clone().with_metadata(metadata);
        VectorType::of(&field).map_err(|e| e.kind())
    };
    for key in [keys::ROLE, keys::KIND, keys::ELEM] {
        assert_eq!(
            kind_of(key, Some("quantum")),
            Err(ErrorKind::Unsupported),
            "{key}"
        );
    }
    for key in [keys::KIND, keys::ELEM, keys::DIM, keys::BIT_ORDER] {
        assert_eq!(kind_of(key, None), Err(ErrorKind::Format), "{key}");
    }
    for (key, value) in [
        (keys::BIT_ORDER, "middle"),
        (keys::DIM, "0"),
        (keys::DIM, "+5"),
        (keys::DIM, "1048577"),
        (keys::METRIC_ARG, "inf"),
        (keys::METRIC_ARG, "three"),
    ] {
        assert_eq!(
            kind_of(key, Some(value)),
            Err(ErrorKind::Format),
            "{key} {value}"
        );
    }
    assert!(kind_of(keys::METRIC_ARG, Some("1.5")).is_ok());
}
