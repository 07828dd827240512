//! Arrow's IPC format, as file or stream, batch by batch.

use super::{Fate, Meant};
use crate::sources::records::ipc::ArrowSource;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, GenericListArray, GenericStringArray, OffsetSizeTrait, RecordBatch, StringViewArray,
};
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_ipc::{MetadataVersion, root_as_footer};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// Copies all batches; false where the file has other rows.
pub(super) fn copy(
    mut file: File,
    out: &mut impl Write,
    fates: &mut [Fate],
    meant: Meant<'_>,
) -> Result<bool, Box<dyn Error>> {
    let pairs = footer_pairs(&mut file).unwrap_or_default();
    file.rewind()?;
    let source = ArrowSource::open(file)?;
    let mut writer = Writer::new(&source, pairs, out)?;
    let mut rest = fates;
    for batch in source.reader {
        let batch = batch?;
        let Some((fates, others)) = rest.split_at_mut_checked(batch.num_rows()) else { return Ok(false) };
        rest = others;
        let batch = repaired(batch, fates, meant)?;
        let batch = match fates.contains(&Fate::Dropped) {
            true => filter_record_batch(&batch, &fates.iter().map(|fate| Some(*fate != Fate::Dropped)).collect())?,
            false => batch,
        };
        if batch.num_rows() > 0 {
            writer.write(&batch)?;
        }
    }
    writer.finish()?;
    Ok(rest.is_empty())
}

/// Keys and values in the footer of a file, which the stream in it lacks; `None` where it cannot be read.
fn footer_pairs(file: &mut File) -> Option<Vec<(String, String)>> {
    let mut end = [0; 10];
    let end_at = file.seek(SeekFrom::End(-(end.len() as i64))).ok()?;
    file.read_exact(&mut end).ok()?;
    let length = read_footer_length(end).ok()? as u64;
    file.seek(SeekFrom::Start(end_at.checked_sub(length)?)).ok()?;
    let mut footer = vec![0; length as usize];
    file.read_exact(&mut footer).ok()?;
    let pairs = root_as_footer(&footer).ok()?.custom_metadata()?;
    Some(pairs.iter().filter_map(|pair| Some((pair.key()?.to_owned(), pair.value()?.to_owned()))).collect())
}

enum Writer<W: Write> {
    File(FileWriter<W>),
    Stream(StreamWriter<W>),
}

impl<W: Write> Writer<W> {
    fn new(source: &ArrowSource, pairs: Vec<(String, String)>, out: W) -> Result<Writer<W>, ArrowError> {
        // Buffers are aligned as pyarrow does. A dictionary that grew from batch to batch goes on doing so; files allow nothing else.
        let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5)?
            .try_with_compression(source.compression)?
            .with_dictionary_handling(DictionaryHandling::Delta);
        let schema: &Schema = &source.reader.schema();
        if !source.is_file {
            return Ok(Writer::Stream(StreamWriter::try_new_with_options(out, schema, options)?));
        }
        let mut writer = FileWriter::try_new_with_options(out, schema, options)?;
        pairs.into_iter().for_each(|(key, value)| writer.write_metadata(key, value));
        Ok(Writer::File(writer))
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Writer::File(writer) => writer.write(batch),
            Writer::Stream(writer) => writer.write(batch),
        }
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        match self {
            Writer::File(writer) => writer.finish(),
            Writer::Stream(writer) => writer.finish(),
        }
    }
}

/// The batch with the texts of rows to repair as they were meant.
fn repaired(batch: RecordBatch, fates: &mut [Fate], meant: Meant<'_>) -> Result<RecordBatch, ArrowError> {
    let wanted: Vec<Option<usize>> =
        fates.iter().enumerate().map(|(row, fate)| (*fate == Fate::Repaired).then_some(row)).collect();
    if wanted.iter().all(Option::is_none) {
        return Ok(batch);
    }
    let mut repair = Repair { meant, is_repaired: vec![false; fates.len()] };
    let columns = batch.columns().iter().map(|array| repair.array(array, &wanted)).collect::<Result<_, _>>()?;
    for (fate, is_repaired) in fates.iter_mut().zip(repair.is_repaired) {
        if *fate == Fate::Repaired && !is_repaired {
            *fate = Fate::Copied;
        }
    }
    RecordBatch::try_new(batch.schema(), columns)
}

struct Repair<'a> {
    meant: Meant<'a>,
    /// Whether a text of a row was repaired.
    is_repaired: Vec<bool>,
}

impl Repair<'_> {
    /// An array with its texts as they were meant, where `rows` gives the row of an element; texts alone and in lists.
    fn array(&mut self, array: &ArrayRef, rows: &[Option<usize>]) -> Result<ArrayRef, ArrowError> {
        Ok(match array.data_type() {
            DataType::Utf8 => {
                Arc::new(self.texts(array.as_string::<i32>().iter(), rows).collect::<GenericStringArray<i32>>())
            }
            DataType::LargeUtf8 => {
                Arc::new(self.texts(array.as_string::<i64>().iter(), rows).collect::<GenericStringArray<i64>>())
            }
            DataType::Utf8View => {
                Arc::new(self.texts(array.as_string_view().iter(), rows).collect::<StringViewArray>())
            }
            DataType::List(field) => Arc::new(self.list(array.as_list::<i32>(), field, rows)?),
            DataType::LargeList(field) => Arc::new(self.list(array.as_list::<i64>(), field, rows)?),
            _ => array.clone(),
        })
    }

    fn texts<'a>(
        &mut self,
        texts: impl Iterator<Item = Option<&'a str>>,
        rows: &[Option<usize>],
    ) -> impl Iterator<Item = Option<String>> {
        texts.zip(rows).map(|(text, row)| {
            let text = text?;
            let better = row.and_then(|row| (self.meant)(text).inspect(|_| self.is_repaired[row] = true));
            Some(better.unwrap_or_else(|| text.to_owned()))
        })
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        list: &GenericListArray<O>,
        field: &Arc<Field>,
        rows: &[Option<usize>],
    ) -> Result<GenericListArray<O>, ArrowError> {
        let mut inner = vec![None; list.values().len()];
        for (row, ends) in rows.iter().zip(list.offsets().windows(2)) {
            inner[ends[0].as_usize()..ends[1].as_usize()].fill(*row);
        }
        let values = self.array(list.values(), &inner)?;
        GenericListArray::try_new(field.clone(), list.offsets().clone(), values, list.nulls().cloned())
    }
}
