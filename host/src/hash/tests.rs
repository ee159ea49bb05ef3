// SPDX-License-Identifier: Apache-2.0
//! What the hash must not depend on, and what it must.

use std::sync::Arc;

use arrow_array::builder::{Float32Builder, Int64Builder, ListBuilder, UInt32Builder};
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, FixedSizeBinaryArray,
    FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int64Array, NullArray,
    PrimitiveArray, StringArray, StructArray, UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{Fields, Schema};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use milvusdm_plugin_api::model::{BitOrder, Elem, Kind, VectorType, field, keys};
use proptest::prelude::*;

use super::*;

fn batch(columns: Vec<(Field, ArrayRef)>) -> RecordBatch {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(f, a)| (f.with_data_type(a.data_type().clone()), a))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn sums(batch: &RecordBatch) -> Sums {
    Hasher::new(batch.schema_ref())
        .unwrap()
        .sums(batch)
        .unwrap()
}

fn scalar(name: &str, array: impl Array + 'static) -> (Field, ArrayRef) {
    let field = Field::new(name, array.data_type().clone(), true);
    (field, Arc::new(array))
}

fn ids(ids: impl IntoIterator<Item = i64>) -> (Field, ArrayRef) {
    let field = field::id_field("id", DataType::Int64);
    (field, Arc::new(Int64Array::from_iter_values(ids)))
}

fn dense<T: ArrowPrimitiveType>(
    name: &str,
    elem: Elem,
    dim: u32,
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> (Field, ArrayRef) {
    let field = VectorType::dense(elem, dim).field(name).unwrap();
    let DataType::FixedSizeList(item, _) = field.data_type().clone() else {
        panic!("a dense vector is a list");
    };
    let values = PrimitiveArray::<T>::from_iter_values(values);
    let list = FixedSizeListArray::new(item, dim as i32, Arc::new(values), nulls);
    (field.with_nullable(true), Arc::new(list))
}

/// The row's sum of a lone vector column of that type.
fn lone<T: ArrowPrimitiveType>(elem: Elem, values: Vec<T::Native>) -> u128 {
    let dim = values.len() as u32;
    sums(&batch(vec![dense::<T>("v", elem, dim, values, None)])).row
}

fn json(name: &str, texts: &[Option<&str>]) -> (Field, ArrayRef) {
    let (field, array) = scalar(name, StringArray::from(texts.to_vec()));
    (field::with_extension(field, keys::JSON), array)
}

fn with_role(field: Field, role: &str) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(keys::ROLE.to_owned(), role.to_owned());
    field.with_metadata(metadata)
}

/// Rows with something of every kind, made from the numbers given.
fn rows_of(seeds: &[(i64, u8)]) -> RecordBatch {
    let numbers = || seeds.iter().map(|(seed, _)| *seed);
    let some = |byte: &u8| !byte.is_multiple_of(3);
    let valid = || NullBuffer::from_iter(seeds.iter().map(|(_, byte)| some(byte)));
    let singles = seeds
        .iter()
        .flat_map(|(seed, byte)| [*seed as f32, -0.0, f32::from(*byte)])
        .collect();
    let item = |data_type| Arc::new(Field::new("item", data_type, true));
    let mut indices = ListBuilder::new(UInt32Builder::new()).with_field(item(DataType::UInt32));
    let mut values = ListBuilder::new(Float32Builder::new()).with_field(item(DataType::Float32));
    let mut list = ListBuilder::new(Int64Builder::new()).with_field(item(DataType::Int64));
    for (seed, byte) in seeds {
        let count = u32::from(byte % 4);
        indices.append_value((0..count).map(|i| Some(i * 3)));
        values.append_value((0..count).map(|i| Some(i as f32 / 2.0)));
        match some(byte) {
            true => list.append_value((0..count).map(|i| (i != 1).then_some(*seed))),
            false => list.append_null(),
        }
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(indices.finish()), Arc::new(values.finish())];
    let sparse = VectorType {
        kind: Kind::Sparse,
        ..VectorType::dense(Elem::F32, 0)
    };
    let parts = Fields::from(vec![
        Field::new("indices", columns[0].data_type().clone(), false),
        Field::new("values", columns[1].data_type().clone(), false),
    ]);
    let bits = seeds.iter().map(|(seed, _)| seed.to_le_bytes());
    let texts: Vec<String> = numbers()
        .map(|n| format!("{{\"m{}\":{n}}}", n % 3))
        .collect();
    let (dynamic, texts) = json(
        "$meta",
        &texts.iter().map(|t| Some(&**t)).collect::<Vec<_>>(),
    );
    let members: Vec<(Arc<Field>, ArrayRef)> = vec![(
        Arc::new(Field::new("n", DataType::Int64, true)),
        Arc::new(Int64Array::new(numbers().collect(), Some(valid()))),
    )];
    let names = numbers().map(|n| (n % 5 != 0).then(|| n.to_string()));
    batch(vec![
        scalar("text", StringArray::from_iter(names)),
        dense::<Float32Type>("dense", Elem::F32, 3, singles, Some(valid())),
        ids(numbers()),
        (
            VectorType::binary(64, BitOrder::Lsb).field("bits").unwrap(),
            Arc::new(FixedSizeBinaryArray::try_from_iter(bits).unwrap()),
        ),
        (
            sparse.field("sparse").unwrap(),
            Arc::new(StructArray::new(parts, columns, None)),
        ),
        scalar("list", list.finish()),
        scalar(
            "flag",
            BooleanArray::from_iter(numbers().map(|n| Some(n > 0))),
        ),
        (with_role(dynamic, "dynamic"), texts),
        scalar("nothing", NullArray::new(seeds.len())),
        scalar("parts", StructArray::from(members)),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn order_and_cutting_do_not_matter(
        seeds in prop::collection::vec((any::<i64>(), any::<u8>()), 1..1200),
        cuts in prop::collection::vec(0usize..1200, 0..4),
        turn in 0usize..1200,
    ) {
        let whole = rows_of(&seeds);
        let hasher = Hasher::new(whole.schema_ref()).unwrap();
        let wanted = hasher.sums(&whole).unwrap();
        prop_assert_eq!(wanted.rows, seeds.len() as u64);

        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % seeds.len()).collect();
        cuts.extend([0, seeds.len()]);
        cuts.sort_unstable();
        let mut summed = Sums::default();
        for pair in cuts.windows(2) {
            // A slice of a slice: its offsets are of both.
            let slice = whole.slice(pair[0], seeds.len() - pair[0]).slice(0, pair[1] - pair[0]);
            summed += hasher.sums(&slice).unwrap();
        }
        prop_assert_eq!(&summed, &wanted);

        let places = (0..seeds.len()).map(|row| ((row + turn) % seeds.len()) as u64);
        let places = UInt64Array::from_iter_values(places.rev());
        let turned = take_record_batch(&whole, &places).unwrap();
        prop_assert_eq!(&hasher.sums(&turned).unwrap(), &wanted);

        let doubled = concat_batches(&whole.schema(), [&whole, &whole.slice(0, 1)]).unwrap();
        prop_assert_ne!(hasher.sums(&doubled).unwrap().row, wanted.row);
    }

    #[test]
    fn the_rows_are_what_is_summed(seeds in prop::collection::vec((any::<i64>(), any::<u8>()), 1..700)) {
        let whole = rows_of(&seeds);
        let hasher = Hasher::new(whole.schema_ref()).unwrap();
        let (mut sum, mut rows, mut ids) = (0u128, Vec::new(), Vec::new());
        let sums = hasher.rows(&whole, |row| {
            sum = sum.wrapping_add(row.hash);
            rows.push(row.row);
            ids.push(row.id);
        }).unwrap();
        prop_assert_eq!(sum, sums.row);
        prop_assert_eq!(rows, (0..seeds.len()).collect::<Vec<_>>());
        for (id, (seed, _)) in ids.iter().zip(&seeds) {
            let mut feed = vec![b'I'];
            feed.extend_from_slice(&i128::from(*seed).to_le_bytes());
            prop_assert_eq!(*id, XxHash3_128::oneshot(&feed));
        }
    }
}

#[test]
fn values_that_are_equal_are_fed_alike() {
    let nan = |bits| f32::from_bits(bits);
    assert_eq!(
        lone::<Float32Type>(Elem::F32, vec![0.0, nan(0x7FC0_0000)]),
        lone::<Float32Type>(Elem::F32, vec![-0.0, nan(0xFF80_0001)])
    );
    assert_eq!(
        lone::<Float32Type>(Elem::F32, vec![1.5, f32::NAN, f32::INFINITY]),
        lone::<Float64Type>(Elem::F64, vec![1.5, f64::NAN, f64::INFINITY])
    );
    assert_eq!(
        lone::<Float32Type>(Elem::F32, vec![-3.0, 7.0]),
        lone::<Int8Type>(Elem::I8, vec![-3, 7])
    );
    let halves = [0.5f32, -2.0].map(<Float16Type as ArrowPrimitiveType>::Native::from_f32);
    assert_eq!(
        lone::<Float32Type>(Elem::F32, vec![0.5, -2.0]),
        lone::<Float16Type>(Elem::F16, halves.to_vec())
    );
    let one = |column| sums(&batch(vec![ids([1]), column])).row;
    let wanted = one(scalar("n", Int64Array::from(vec![5])));
    for column in [
        scalar("n", Int8Array::from(vec![5])),
        scalar("n", UInt64Array::from(vec![5])),
        scalar("n", Float32Array::from(vec![5.0])),
        scalar("n", Float64Array::from(vec![5.0])),
        scalar(
            "n",
            Decimal128Array::from(vec![500])
                .with_precision_and_scale(5, 2)
                .unwrap(),
        ),
        json("n", &[Some("5")]),
        json("n", &[Some("5.0")]),
    ] {
        assert_eq!(one(column), wanted);
    }
    assert_eq!(
        one(scalar("n", Float64Array::from(vec![-0.0]))),
        one(scalar("n", Int64Array::from(vec![0])))
    );
    assert_ne!(one(scalar("n", Int64Array::from(vec![6]))), wanted);
    assert_ne!(one(scalar("m", Int64Array::from(vec![5]))), wanted);
}

#[test]
fn the_generic_way_and_the_fast_one_agree() {
    let values: Vec<f32> = (0..64)
        .map(|i| (i - 20) as f32 / 3.0)
        .chain([-0.0, f32::NAN])
        .collect();
    let fast = lone::<Float32Type>(Elem::F32, values.clone());
    let (inner, list) = dense::<Float32Type>("item", Elem::F32, 66, values, None);
    let Shape::Vector(vector) = Shape::of(&inner).unwrap() else {
        panic!("a vector");
    };
    let mut feed = Vec::new();
    vector.write(list.as_ref(), 0, &mut feed);
    let cell = XxHash3_128::oneshot_with_seed(XxHash3_64::oneshot(b"vector"), &feed);
    let mut row = vec![b'N'];
    row.extend_from_slice(&cell.to_le_bytes());
    assert_eq!(XxHash3_128::oneshot(&row), fast);
}

#[test]
fn a_lone_vector_is_called_vector() {
    let named = |name: &str| dense::<Float32Type>(name, Elem::F32, 2, vec![1.0, 2.0], None);
    let row = |columns| sums(&batch(columns));
    let wanted = row(vec![ids([1]), named("vector")]);
    assert_eq!(row(vec![ids([1]), named("embedding")]), wanted);
    assert!(wanted.columns.contains_key("vector"));
    // Of two, each has the name that it has.
    assert_ne!(
        row(vec![named("a"), named("b")]).row,
        row(vec![named("a"), named("c")]).row
    );
    let taken = row(vec![
        named("a"),
        scalar("vector", Int64Array::from(vec![1])),
    ]);
    assert!(taken.columns.contains_key("a"));
}

#[test]
fn nulls_partitions_and_the_order_of_columns_are_not_cells() {
    let number = || scalar("n", Int64Array::from(vec![1]));
    let text = || scalar("t", StringArray::from(vec!["x"]));
    let wanted = sums(&batch(vec![ids([1]), number(), text()]));
    assert_eq!(sums(&batch(vec![text(), ids([1]), number()])), wanted);
    let (partition, names) = scalar("p", StringArray::from(vec!["2021"]));
    let partition = (with_role(partition, "partition"), names);
    let null = json("j", &[Some("null")]);
    let more = sums(&batch(vec![ids([1]), number(), text(), partition, null]));
    assert_eq!(more.row, wanted.row);
    assert_ne!(more.row, more.row_without_id);
    let without = sums(&batch(vec![number(), text()]));
    assert_eq!(without.row, wanted.row_without_id);
    assert_eq!(without.row_without_id, without.row);
}

#[test]
fn a_dynamic_member_is_the_column_of_its_name() {
    let (field, array) = json("$meta", &[Some(r#"{"z":null,"b":"x","a":1,"a":2}"#)]);
    let dynamic = (with_role(field, "dynamic"), array);
    let aa = || scalar("aa", BooleanArray::from(vec![true]));
    let found = sums(&batch(vec![ids([1]), dynamic, aa()]));
    let a = scalar("a", Int64Array::from(vec![2]));
    let b = scalar("b", StringArray::from(vec!["x"]));
    assert_eq!(found, sums(&batch(vec![ids([1]), a, b, aa()])));
}

#[test]
fn what_cannot_be_hashed_is_named() {
    let of = |field: Field| {
        Hasher::new(&Arc::new(Schema::new(vec![field])))
            .unwrap_err()
            .to_string()
    };
    let inner = Field::new("item", DataType::LargeUtf8, true);
    let error = of(Field::new("deep", DataType::List(Arc::new(inner)), true));
    assert!(
        error.contains("`deep.item`") && error.contains("LargeUtf8"),
        "{error}"
    );
    let error = of(with_role(Field::new("o", DataType::Int8, true), "op"));
    assert!(error.contains("column `o`: role `op`"), "{error}");
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let number = batch(vec![scalar("n", Int64Array::from(vec![1]))]);
    let text = batch(vec![scalar("n", StringArray::from(vec!["1"]))]);
    let error = Hasher::new(number.schema_ref()).unwrap().sums(&text);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("Utf8, wanted Int64")
    );
}
