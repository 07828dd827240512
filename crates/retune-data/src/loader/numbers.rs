//! Stored numbers of any type as those of a batch.

use retune_tensor::Values;

/// Values from `start` on, as many as `out` takes, as `f32`.
pub(crate) fn copy_as_f32(values: &Values, start: usize, out: &mut [f32]) {
    fn copy<T: Copy>(values: &[T], start: usize, out: &mut [f32], to_f32: impl Fn(T) -> f32) {
        let values = &values[start..start + out.len()];
        values.iter().zip(out).for_each(|(&value, out)| *out = to_f32(value));
    }
    match values {
        Values::F32(v) => copy(v, start, out, |x| x),
        Values::F64(v) => copy(v, start, out, |x| x as f32),
        Values::F16(v) => copy(v, start, out, |x| x.to_f32()),
        Values::BF16(v) => copy(v, start, out, |x| x.to_f32()),
        Values::I8(v) => copy(v, start, out, f32::from),
        Values::I16(v) => copy(v, start, out, f32::from),
        Values::I32(v) => copy(v, start, out, |x| x as f32),
        Values::I64(v) => copy(v, start, out, |x| x as f32),
        Values::U8(v) => copy(v, start, out, f32::from),
        Values::U16(v) => copy(v, start, out, f32::from),
        Values::U32(v) => copy(v, start, out, |x| x as f32),
        Values::U64(v) => copy(v, start, out, |x| x as f32),
        Values::Bool(v) => copy(v, start, out, |x| f32::from(u8::from(x))),
    }
}

/// Values from `start` on as `i32`; the first value that is none, in words.
pub(super) fn copy_as_i32(values: &Values, start: usize, out: &mut [i32]) -> Result<(), String> {
    fn copy<T: Copy + std::fmt::Display>(
        values: &[T],
        start: usize,
        out: &mut [i32],
        to_i32: impl Fn(T) -> Option<i32>,
    ) -> Result<(), String> {
        let values = &values[start..start + out.len()];
        values.iter().zip(out).try_for_each(|(&value, out)| {
            *out = to_i32(value).ok_or_else(|| value.to_string())?;
            Ok(())
        })
    }
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX)).then_some(x as i32);
    match values {
        Values::F32(v) => copy(v, start, out, |x| whole(f64::from(x))),
        Values::F64(v) => copy(v, start, out, whole),
        Values::F16(v) => copy(v, start, out, |x| whole(f64::from(x.to_f32()))),
        Values::BF16(v) => copy(v, start, out, |x| whole(f64::from(x.to_f32()))),
        Values::I8(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::I16(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::I32(v) => copy(v, start, out, Some),
        Values::I64(v) => copy(v, start, out, |x| i32::try_from(x).ok()),
        Values::U8(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::U16(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::U32(v) => copy(v, start, out, |x| i32::try_from(x).ok()),
        Values::U64(v) => copy(v, start, out, |x| i32::try_from(x).ok()),
        Values::Bool(v) => copy(v, start, out, |x| Some(i32::from(x))),
    }
}
