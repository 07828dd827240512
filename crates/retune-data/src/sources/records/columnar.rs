//! Parquet, and Arrow's IPC format as file (`.arrow`, `.feather`) and as stream (what `datasets` of Hugging Face keeps in its cache).
//!
//! Rows are read in batches. Where a file describes its features as the Hugging Face Hub has it (key `huggingface`), numbers of a
//! `ClassLabel` stand for its names, and −1 for none.
//!
//! A damaged file gives an error: sizes that would be taken on trust are checked before, and should the crates that read it panic, that
//! is caught.

use super::ipc::ArrowSource;
use super::{Cell, ColumnInfo, Header, Record, SAMPLE, Unit};
use crate::error::DataError;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::Value;
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 512;

/// Rows of a file of columns.
pub(super) struct Columnar {
    path: PathBuf,
    batches: Batches,
    /// Rows of the batch at hand, each cell to be taken once.
    columns: Vec<Option<std::vec::IntoIter<Cell>>>,
    /// What is left of the batch at hand.
    rest: Option<RecordBatch>,
    /// Rows of `columns` that were not given yet.
    left: usize,
    count: u64,
}

enum Batches {
    Parquet(ParquetRecordBatchReader),
    Arrow(StreamReader<BufReader<File>>),
}

impl Columnar {
    /// Opens a Parquet file: the rows behind the first ones, what the header says, and the first rows.
    pub(super) fn parquet(path: &Path) -> Result<(Columnar, Header, Vec<Record>), DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        let (schema, features, reader) = guarded(path, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
            let pairs = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
            let features = pairs.into_iter().find(|pair| pair.key == "huggingface").and_then(|pair| pair.value);
            let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| error.to_string())?;
            Ok((arrow_array::RecordBatchReader::schema(&reader), features, reader))
        })?;
        Columnar::opened(path, Batches::Parquet(reader), &schema, features.as_deref(), "Parquet")
    }

    /// The same of an Arrow file or stream.
    pub(super) fn arrow(path: &Path) -> Result<(Columnar, Header, Vec<Record>), DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        let reader = guarded(path, || Ok(ArrowSource::open(file)?.reader))?;
        let schema = reader.schema();
        let features = schema.metadata().get("huggingface").cloned();
        Columnar::opened(path, Batches::Arrow(reader), &schema, features.as_deref(), "Arrow")
    }

    fn opened(
        path: &Path,
        batches: Batches,
        schema: &SchemaRef,
        features: Option<&str>,
        form: &str,
    ) -> Result<(Columnar, Header, Vec<Record>), DataError> {
        let features: Value = features.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let info = |name: &String| {
            let feature = &features["info"]["features"][name];
            ColumnInfo { name: Some(name.clone()), classes: class_names(feature) }
        };
        let columns: Vec<ColumnInfo> = schema.fields().iter().map(|field| info(field.name())).collect();
        if columns.is_empty() {
            return Err(malformed(path, "a file without columns".to_owned()));
        }
        let header = Header { columns, noun: "column", unit: Unit::Row, form: form.to_owned() };
        let (columns, path) = (Vec::new(), path.to_path_buf());
        let mut rows = Columnar { path, batches, columns, rest: None, left: 0, count: 0 };
        let mut sample = Vec::new();
        while sample.len() < SAMPLE {
            let Some(record) = rows.next(None)? else { break };
            sample.push(record);
        }
        Ok((rows, header, sample))
    }

    /// The next row. Cells of columns that are not wanted are missing, from the next batch on.
    pub(super) fn next(&mut self, wanted: Option<&[bool]>) -> Result<Option<Record>, DataError> {
        while self.left == 0 {
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => match self.next_batch()? {
                    Some(batch) => batch,
                    None => return Ok(None),
                },
            };
            let rows = batch.num_rows().min(BATCH_ROWS);
            if rows < batch.num_rows() {
                self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
            }
            let path = &self.path;
            self.columns = guarded(path, || {
                let is_wanted =
                    |column: usize| wanted.is_none_or(|wanted| wanted.get(column).copied().unwrap_or(false));
                let cells = |(column, array): (usize, &ArrayRef)| {
                    is_wanted(column).then(|| (0..rows).map(|row| cell(array, row)).collect::<Vec<_>>().into_iter())
                };
                Ok(batch.columns().iter().enumerate().map(cells).collect())
            })?;
            self.left = rows;
        }
        self.left -= 1;
        self.count += 1;
        let take = |column: &mut Option<std::vec::IntoIter<Cell>>| {
            column.as_mut().and_then(Iterator::next).unwrap_or(Cell::Missing)
        };
        Ok(Some(Record { start: self.count, cells: Ok(self.columns.iter_mut().map(take).collect()) }))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let Columnar { batches, path, .. } = self;
        guarded(path, || {
            let batch = match batches {
                Batches::Parquet(reader) => reader.next(),
                Batches::Arrow(reader) => reader.next(),
            };
            batch.transpose().map_err(|error| error.to_string())
        })
    }

    /// The row behind the last one.
    pub(super) fn end(&self) -> u64 {
        self.count + 1
    }
}

fn malformed(path: &Path, found: String) -> DataError {
    DataError::Malformed {
        path: path.to_path_buf(),
        place: "whole file".into(),
        expected: "a whole file of Parquet or Arrow".into(),
        found,
        hint: "it may have been cut short or damaged; fetch or write it again",
    }
}

/// What `read` gives, its panics turned into errors: those of a crate that meets damage which it does not expect.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, String>) -> Result<T, DataError> {
    without_panic(read).map_err(|found| malformed(path, found))
}

/// What `read` gives; a panic is an error.
pub(in crate::sources) fn without_panic<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("damage".to_owned()))
}

/// Names of the classes that a feature's numbers, or the numbers in its lists, stand for.
fn class_names(feature: &Value) -> Option<Vec<String>> {
    let feature = if feature["feature"].is_object() { &feature["feature"] } else { feature };
    let names = feature["names"].as_array().filter(|_| feature["_type"] == "ClassLabel")?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// One cell. Anything that is no text, number, truth value, list of them or image is told by its kind.
fn cell(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Missing;
    }
    macro_rules! integer {
        ($type:ty) => {
            i64::try_from(array.as_primitive::<$type>().value(row))
                .map_or(Cell::Other("a number that is too large"), Cell::Integer)
        };
    }
    match array.data_type() {
        DataType::Null => Cell::Missing,
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row).to_owned()),
        DataType::Boolean => Cell::Truth(array.as_boolean().value(row)),
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => integer!(UInt64Type),
        DataType::Float16 => Cell::Number(array.as_primitive::<Float16Type>().value(row).to_f64()),
        // By its digits, so that 0.1 stays 0.1.
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            Cell::Number(value.to_string().parse().unwrap_or(f64::from(value)))
        }
        DataType::Float64 => Cell::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            match cell(dictionary.keys(), row) {
                Cell::Integer(key) if key >= 0 && (key as usize) < values.len() => cell(values, key as usize),
                _ => Cell::Missing,
            }
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        DataType::Binary => image(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => image(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => image(array.as_binary_view().value(row)),
        DataType::Struct(_) => image_struct(array.as_struct(), row),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Cell::Other("a date"),
        DataType::Decimal128(..) | DataType::Decimal256(..) => Cell::Other("a decimal number"),
        _ => Cell::Other("a value of another kind"),
    }
}

fn list(values: &ArrayRef) -> Cell {
    let cells: Vec<Cell> = (0..values.len()).map(|index| cell(values, index)).collect();
    if cells.iter().all(|cell| matches!(cell, Cell::Text(_))) {
        let texts = cells.into_iter().filter_map(|cell| cell.text().map(str::to_owned));
        return Cell::Texts(texts.collect());
    }
    match cells.iter().map(Cell::number).collect::<Option<Vec<f64>>>() {
        Some(numbers) => Cell::Numbers(numbers),
        None => Cell::Other("an array of several kinds"),
    }
}

fn image(bytes: &[u8]) -> Cell {
    Cell::Image { bytes: Some(bytes.to_vec()), path: None }
}

/// An image as the Hub stores it: a struct of `bytes` and `path`, either of which may be missing.
fn image_struct(fields: &StructArray, row: usize) -> Cell {
    let field = |name: &str| fields.column_by_name(name).map(|array| cell(array, row));
    match (field("bytes"), field("path")) {
        (None, None) => Cell::Other("a struct"),
        (bytes, path) => {
            let bytes = match bytes {
                Some(Cell::Image { bytes, .. }) => bytes,
                _ => None,
            };
            let path = path.as_ref().and_then(Cell::text).map(str::to_owned);
            if bytes.is_none() && path.is_none() { Cell::Missing } else { Cell::Image { bytes, path } }
        }
    }
}
