//! Arrow's IPC format, as file and as stream; the sizes that its reader takes memory by are checked before. A file is read as the stream that
//! it contains.

use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// What an Arrow file begins with; zeros and a stream follow.
const MAGIC: &[u8; 8] = b"ARROW1\0\0";
/// Where the stream begins at the latest, by the widest alignment there is.
const MAX_START: u64 = 64;
/// Bytes that a buffer may have when it is unpacked, or a description of a message.
const MAX_BUFFER: i64 = 1 << 31;

/// An Arrow file or stream, its sizes checked.
pub(in crate::sources) struct ArrowSource {
    /// Its batches.
    pub(in crate::sources) reader: StreamReader<BufReader<File>>,
    /// Whether it is a file, not a stream.
    pub(in crate::sources) is_file: bool,
    /// How its buffers are packed.
    pub(in crate::sources) compression: Option<CompressionType>,
}

impl ArrowSource {
    /// Opens a file or stream.
    pub(in crate::sources) fn open(mut file: File) -> Result<ArrowSource, String> {
        let mut magic = [0; MAGIC.len()];
        let is_file = file.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        let start = if is_file { stream_start(&mut file).map_err(|error| error.to_string())? } else { 0 };
        let compression = check_messages(&mut file, start)?;
        file.seek(SeekFrom::Start(start)).map_err(|error| error.to_string())?;
        let reader = StreamReader::try_new(BufReader::new(file), None).map_err(|error| error.to_string())?;
        Ok(ArrowSource { reader, is_file, compression })
    }
}

/// Where the stream in a file begins: behind the magic and the zeros that align it, 8 bytes or more, as the writer has it.
fn stream_start(file: &mut File) -> std::io::Result<u64> {
    let (mut start, mut word) = (MAGIC.len() as u64, [0; 8]);
    while start < MAX_START {
        file.read_exact(&mut word)?;
        if word != [0; 8] {
            break;
        }
        start += word.len() as u64;
    }
    Ok(start)
}

/// Checks the sizes of a stream's messages that its reader takes memory by: no description, and no buffer when it is unpacked, is of
/// absurd size. Gives how they are packed.
fn check_messages(file: &mut File, start: u64) -> Result<Option<CompressionType>, String> {
    let io = |error: std::io::Error| error.to_string();
    let size = file.metadata().map_err(io)?.len();
    let (mut at, mut packed) = (start, None);
    loop {
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        let mut length = [0; 4];
        if size.saturating_sub(at) < 4 {
            return Ok(packed);
        }
        file.read_exact(&mut length).map_err(io)?;
        at += 4;
        if length == [0xff; 4] {
            file.read_exact(&mut length).map_err(io)?;
            at += 4;
        }
        let length = u64::try_from(i32::from_le_bytes(length)).map_err(|_| "a message of negative size".to_owned())?;
        if length == 0 {
            return Ok(packed);
        }
        if length > size - at {
            return Err("a message that is longer than the file".to_owned());
        }
        let mut description = vec![0; length as usize];
        file.read_exact(&mut description).map_err(io)?;
        let message = arrow_ipc::root_as_message(&description).map_err(|error| error.to_string())?;
        let body = u64::try_from(message.bodyLength()).ok().filter(|&body| body <= size - at - length);
        let body = body.ok_or("a body that is longer than the file")?;
        let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
        let batch = message.header_as_record_batch().or(dictionary);
        packed = packed.or(batch.and_then(|batch| batch.compression()).map(|compression| compression.codec()));
        for buffer in
            batch.filter(|batch| batch.compression().is_some()).and_then(|batch| batch.buffers()).iter().flatten()
        {
            let (offset, length_in_body) = (buffer.offset(), buffer.length());
            if length_in_body < 8 {
                continue;
            }
            let offset = u64::try_from(offset).ok().filter(|offset| offset.saturating_add(8) <= body);
            let place = at + length + offset.ok_or("a buffer outside of its message")?;
            file.seek(SeekFrom::Start(place)).map_err(io)?;
            let mut unpacked = [0; 8];
            file.read_exact(&mut unpacked).map_err(io)?;
            if !(-1..=MAX_BUFFER).contains(&i64::from_le_bytes(unpacked)) {
                return Err("a buffer of absurd size".to_owned());
            }
        }
        at += length + body;
    }
}
