//! ZeroPadding and Cropping, 1D and 2D.

use serde_json::Value as Json;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use crate::error::Result;

/// How much is added or cut before and behind along each spatial axis.
type Borders = Vec<(usize, usize)>;

/// Reads `2`, `[1, 2]` or `[[1, 2], [3, 4]]`. In one dimension a pair is before and behind; in two it is height and width,
/// the same on both sides.
fn borders(f: &Fields<'_>, name: &str, rank: usize) -> Result<Borders> {
    let number = |value: &Json| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let pair = |value: &Json| -> Option<(usize, usize)> {
        match value.as_array()?.as_slice() {
            [before, behind] => Some((number(before)?, number(behind)?)),
            _ => None,
        }
    };
    let read = |value: &Json| -> Option<Borders> {
        if let Some(n) = number(value) {
            return Some(vec![(n, n); rank]);
        }
        let list = value.as_array()?;
        match (rank, list.as_slice()) {
            (1, [_, _]) => Some(vec![pair(value)?]),
            (1, [one]) => Some(vec![pair(one).or_else(|| number(one).map(|n| (n, n)))?]),
            (2, [height, width]) => {
                let side = |value: &Json| pair(value).or_else(|| number(value).map(|n| (n, n)));
                Some(vec![side(height)?, side(width)?])
            }
            _ => None,
        }
    };
    match f.get(name) {
        None => Ok(vec![(1, 1); rank]),
        Some(value) => read(value).ok_or_else(|| f.wrong(name, "a number, a pair, or a pair for each axis")),
    }
}

/// Zeros around a sequence or image.
#[derive(Debug, Clone)]
pub(crate) struct ZeroPadding(Borders);

impl ZeroPadding {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<ZeroPadding> {
        f.channels_last()?;
        borders(f, "padding", rank).map(ZeroPadding)
    }
}

impl Lower for ZeroPadding {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one_of_rank(arguments, self.0.len() + 2, "[batch, spatial axes…, channels]")?;
        let padding: Vec<(usize, usize)> = [(0, 0)].into_iter().chain(self.0.iter().copied()).chain([(0, 0)]).collect();
        Ok(vec![b.graph.pad(x, &padding)?.into()])
    }
}

/// Cuts the border of a sequence or image off.
#[derive(Debug, Clone)]
pub(crate) struct Cropping(Borders);

impl Cropping {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<Cropping> {
        f.channels_last()?;
        borders(f, "cropping", rank).map(Cropping)
    }
}

impl Lower for Cropping {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mut x = b.one_of_rank(arguments, self.0.len() + 2, "[batch, spatial axes…, channels]")?;
        for (i, &(before, behind)) in self.0.iter().enumerate() {
            let size = b.fixed(x, i + 1)?;
            let kept = size.checked_sub(before.saturating_add(behind)).filter(|&kept| kept > 0);
            let kept = kept.ok_or_else(|| {
                b.wrong_inputs(format!("more than {before} + {behind} values along axis {}", i + 1), size.to_string())
            })?;
            x = b.graph.slice(x, i + 1, before, kept)?;
        }
        Ok(vec![x.into()])
    }
}
