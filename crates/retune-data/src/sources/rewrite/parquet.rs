//! Parquet, column by column and as it is stored: definition and repetition levels and physical values, so that every type there is stays to
//! the bit.
//!
//! A column of one row group is in memory at a time, packed, and of it some rows as values. Row groups stay as they are, without the
//! rows left out.

use super::{Fate, Meant};
use parquet::basic::{ConvertedType, LogicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// What a file begins and ends with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
/// Rows whose values are in memory at a time.
const BATCH_ROWS: usize = 512;

/// Copies all row groups; false where the file has other rows.
pub(super) fn copy(
    file: File,
    out: &mut (impl Write + Send),
    fates: &mut [Fate],
    meant: Meant<'_>,
) -> Result<bool, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let mut writer = SerializedFileWriter::new(out, schema.root_schema_ptr(), Arc::new(properties(metadata)))?;
    let mut rest = fates;
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index)?;
        let rows = usize::try_from(group.metadata().num_rows())?;
        let Some((fates, others)) = rest.split_at_mut_checked(rows) else { return Ok(false) };
        rest = others;
        if fates.iter().all(|fate| *fate == Fate::Dropped) {
            continue;
        }
        let mut repaired = vec![false; rows];
        let mut copy = writer.next_row_group()?;
        for (column, descriptor) in schema.columns().iter().enumerate() {
            let mut to = copy.next_column()?.ok_or_else(|| wrong("fewer columns than the schema has"))?;
            let rows = Rows { column: descriptor, fates, meant, repaired: &mut repaired };
            rows.copy_column(group.get_column_reader(column)?, to.untyped())?;
            to.close()?;
        }
        copy.close()?;
        for (fate, repaired) in fates.iter_mut().zip(repaired) {
            if *fate == Fate::Repaired && !repaired {
                *fate = Fate::Copied;
            }
        }
    }
    writer.close()?;
    Ok(rest.is_empty())
}

/// Packing, dictionaries and metadata of the file.
fn properties(metadata: &ParquetMetaData) -> WriterProperties {
    let pairs = metadata.file_metadata().key_value_metadata().cloned();
    let mut builder = WriterProperties::builder().set_key_value_metadata(pairs);
    for chunk in metadata.row_groups().first().iter().flat_map(|group| group.columns()) {
        let has_dictionary = chunk.dictionary_page_offset().is_some();
        builder = builder
            .set_column_compression(chunk.column_path().clone(), chunk.compression())
            .set_column_dictionary_enabled(chunk.column_path().clone(), has_dictionary);
    }
    builder.build()
}

fn wrong(found: &str) -> ParquetError {
    ParquetError::General(found.to_owned())
}

/// The rows of a column in one row group.
struct Rows<'a> {
    column: &'a ColumnDescriptor,
    fates: &'a [Fate],
    meant: Meant<'a>,
    /// Whether a text of a row was repaired.
    repaired: &'a mut [bool],
}

impl Rows<'_> {
    fn copy_column(self, from: ColumnReader, to: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        use ColumnReader as From;
        use ColumnWriter as To;
        match (from, to) {
            (From::BoolColumnReader(from), To::BoolColumnWriter(to)) => self.copy(from, to, |_, _| None),
            (From::Int32ColumnReader(from), To::Int32ColumnWriter(to)) => self.copy(from, to, |_, _| None),
            (From::Int64ColumnReader(from), To::Int64ColumnWriter(to)) => self.copy(from, to, |_, _| None),
            (From::Int96ColumnReader(from), To::Int96ColumnWriter(to)) => self.copy(from, to, |_, _| None),
            (From::FloatColumnReader(from), To::FloatColumnWriter(to)) => self.copy(from, to, |_, _| None),
            (From::DoubleColumnReader(from), To::DoubleColumnWriter(to)) => self.copy(from, to, |_, _| None),
            (From::FixedLenByteArrayColumnReader(from), To::FixedLenByteArrayColumnWriter(to)) => {
                self.copy(from, to, |_, _| None)
            }
            (From::ByteArrayColumnReader(from), To::ByteArrayColumnWriter(to)) if self.holds_texts() => {
                self.copy(from, to, |value: &ByteArray, meant| {
                    let text = std::str::from_utf8(value.data()).ok()?;
                    meant(text).map(|text| text.into_bytes().into())
                })
            }
            (From::ByteArrayColumnReader(from), To::ByteArrayColumnWriter(to)) => self.copy(from, to, |_, _| None),
            _ => Err(wrong("a column of another type than its chunk")),
        }
    }

    fn holds_texts(&self) -> bool {
        self.column.logical_type_ref() == Some(&LogicalType::String)
            || self.column.converted_type() == ConvertedType::UTF8
    }

    /// Copies the values of rows that are kept, those that `repair` knows better replaced.
    fn copy<T: DataType>(
        self,
        mut from: ColumnReaderImpl<T>,
        to: &mut ColumnWriterImpl<'_, T>,
        repair: impl Fn(&T::T, Meant<'_>) -> Option<T::T>,
    ) -> Result<(), ParquetError> {
        let (defined, is_repeated) = (self.column.max_def_level(), self.column.max_rep_level() > 0);
        for (fates, repaired) in self.fates.chunks(BATCH_ROWS).zip(self.repaired.chunks_mut(BATCH_ROWS)) {
            // Levels of definition, one for each value or missing value, and of repetition, 0 where a row begins; what the column
            // has no need of stays empty.
            let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
            let (rows, _, levels) =
                from.read_records(fates.len(), Some(&mut definitions), Some(&mut repetitions), &mut values)?;
            if rows != fates.len() {
                return Err(wrong("fewer rows in a column than in its row group"));
            }
            if fates.iter().any(|fate| *fate != Fate::Copied) {
                let mut left = (Vec::new(), Vec::new(), Vec::new());
                let (mut values_read, mut row) = (values.into_iter(), 0);
                for level in 0..levels {
                    row += usize::from(level > 0 && repetitions.get(level).is_none_or(|&repetition| repetition == 0));
                    let is_there = definitions.get(level).is_none_or(|&definition| definition == defined);
                    let value = if is_there { values_read.next() } else { None };
                    if fates[row] == Fate::Dropped {
                        continue;
                    }
                    let better = value.as_ref().filter(|_| fates[row] == Fate::Repaired);
                    let better = better.and_then(|value| repair(value, self.meant));
                    repaired[row] |= better.is_some();
                    left.0.extend(better.or(value));
                    left.1.extend(definitions.get(level));
                    left.2.extend(repetitions.get(level));
                }
                (values, definitions, repetitions) = left;
            }
            if !(values.is_empty() && definitions.is_empty()) {
                to.write_batch(&values, (defined > 0).then_some(&definitions), is_repeated.then_some(&repetitions))?;
            }
        }
        Ok(())
    }
}
