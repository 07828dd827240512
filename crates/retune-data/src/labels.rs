//! Labels: class indices, one-hot or multi-hot vectors, or real values, one per example; or class indices, one per word.

use crate::error::{DataError, shape_text};
use retune_tensor::{DType, Tensor, Values};
use serde::{Deserialize, Serialize};

/// How labels are to be read where the data leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelType {
    /// Each example has one of several classes.
    Class,
    /// Each example has any number of classes, as a vector of 0 and 1.
    MultiHot,
    /// Each example has real values to regress on.
    Real,
    /// Each word of a text has one of several classes.
    WordClass,
}

/// What the labels of a data set are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelKind {
    /// No labels (data to predict on).
    None,
    /// One class index per example.
    ClassIndex {
        /// Number of classes.
        classes: usize,
    },
    /// A vector with a single 1 per example.
    OneHot {
        /// Number of classes.
        classes: usize,
    },
    /// A vector of 0 and 1 per example.
    MultiHot {
        /// Number of classes.
        classes: usize,
    },
    /// Real values.
    Real {
        /// Shape of one label.
        shape: Vec<usize>,
    },
    /// One class index per word of a text.
    WordClasses {
        /// Number of classes.
        classes: usize,
    },
}

/// The labels of a data set, in the order of its examples.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// No labels.
    None,
    /// Class indices in `0..classes`.
    Classes {
        /// One index per example.
        indices: Vec<i32>,
        /// Number of classes.
        classes: usize,
    },
    /// `f32` `[examples, classes]`, a single 1 in each row.
    OneHot(Tensor),
    /// `f32` `[examples, classes]` of 0 and 1.
    MultiHot(Tensor),
    /// `f32` `[examples, ...]`.
    Real(Tensor),
    /// Class indices in `0..classes` of the words of each example.
    WordClasses {
        /// One index per word, those of all examples one after the other.
        indices: Vec<i32>,
        /// Where those of each example end.
        ends: Vec<usize>,
        /// Number of classes.
        classes: usize,
    },
}

impl Labels {
    /// Class indices of words, each checked to lie in `0..classes`; `ends` says where those of each example end.
    ///
    /// # Errors
    /// An index outside, with its example.
    pub fn of_words(place: &str, indices: Vec<i32>, ends: Vec<usize>, classes: usize) -> Result<Labels, DataError> {
        match indices.iter().position(|&i| usize::try_from(i).map_or(true, |i| i >= classes)) {
            None => Ok(Labels::WordClasses { indices, ends, classes }),
            Some(word) => Err(DataError::LabelOutOfRange {
                place: format!("{place}, example {}", ends.partition_point(|&end| end <= word)),
                label: i64::from(indices[word]),
                classes,
            }),
        }
    }

    /// Class indices, each checked to lie in `0..classes`.
    pub fn classes(place: &str, indices: Vec<i32>, classes: usize) -> Result<Labels, DataError> {
        match indices.iter().position(|&i| usize::try_from(i).map_or(true, |i| i >= classes)) {
            None => Ok(Labels::Classes { indices, classes }),
            Some(row) => Err(DataError::LabelOutOfRange {
                place: format!("{place}, example {row}"),
                label: i64::from(indices[row]),
                classes,
            }),
        }
    }

    /// Labels from an array as found in a file.
    ///
    /// Where `wanted` is not given: integers of shape `[examples]` or `[examples, 1]` are class indices; a matrix of 0
    /// and 1 with two or more columns is one-hot where each row sums to 1, else multi-hot; everything else is real
    /// values. The number of classes is `classes` if given, else one more than the largest index.
    pub fn from_tensor(
        place: &str,
        labels: Tensor,
        wanted: Option<LabelType>,
        classes: Option<usize>,
    ) -> Result<Labels, DataError> {
        let shape = labels.shape().to_vec();
        let wrong = |expected: &str| DataError::WrongShape {
            place: format!("labels of {place}"),
            expected: expected.to_owned(),
            found: shape_text(&shape),
            hint: "class labels are one integer per example, or one row of 0 and 1 per example",
        };
        if shape.is_empty() {
            return Err(wrong("[examples, ...]"));
        }
        let single = shape.len() == 1 || (shape.len() == 2 && shape[1] == 1);
        let integers = !matches!(labels.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16);
        let values = labels.to_f32_vec();
        let columns = if shape.len() == 2 { shape[1] } else { 1 };
        let zero_one = shape.len() == 2 && columns > 1 && values.iter().all(|&v| v == 0.0 || v == 1.0);
        let one_hot = zero_one && values.chunks_exact(columns).all(|row| row.iter().sum::<f32>() == 1.0);
        let rows = shape[0];
        match wanted {
            Some(LabelType::Class) if single => class_indices(place, &labels, classes),
            None if single && integers => class_indices(place, &labels, classes),
            Some(LabelType::Class) if !one_hot => {
                Err(wrong("[examples], [examples, 1], or one-hot [examples, classes]"))
            }
            Some(LabelType::Class) | None if one_hot => one_hot_of_width(place, values, rows, columns, classes, wrong),
            Some(LabelType::MultiHot) if !zero_one => Err(wrong("[examples, classes] of 0 and 1")),
            Some(LabelType::MultiHot) | None if zero_one => {
                if classes.is_some_and(|c| c != columns) {
                    return Err(wrong(&format!("[examples, {}]", classes.unwrap_or(columns))));
                }
                Ok(Labels::MultiHot(tensor(vec![rows, columns], values)))
            }
            _ => {
                if let Some(bad) = values.iter().position(|v| !v.is_finite()) {
                    return Err(DataError::Setting {
                        name: format!("labels of {place}, example {}", bad / (values.len() / rows).max(1)),
                        expected: "a finite number".into(),
                        found: values[bad].to_string(),
                    });
                }
                let shape = if shape.len() == 1 { vec![rows, 1] } else { shape };
                Ok(Labels::Real(tensor(shape, values)))
            }
        }
    }

    /// Those of some examples.
    ///
    /// # Panics
    /// An index that no example has.
    pub(crate) fn some(&self, indices: &[usize]) -> Labels {
        let rows = |values: &Tensor| {
            let mut shape = values.shape().to_vec();
            shape[0] = indices.len();
            let all = indices.iter().flat_map(|&index| self.row(index).unwrap_or(&[])).copied().collect();
            tensor(shape, all)
        };
        match self {
            Labels::None => Labels::None,
            Labels::Classes { indices: own, classes } => {
                Labels::Classes { indices: indices.iter().map(|&index| own[index]).collect(), classes: *classes }
            }
            Labels::OneHot(values) => Labels::OneHot(rows(values)),
            Labels::MultiHot(values) => Labels::MultiHot(rows(values)),
            Labels::Real(values) => Labels::Real(rows(values)),
            Labels::WordClasses { classes, .. } => {
                let words = || indices.iter().map(|&index| self.word_classes(index).unwrap_or(&[]));
                let ends = words().scan(0, |end, words| {
                    *end += words.len();
                    Some(*end)
                });
                Labels::WordClasses {
                    indices: words().flatten().copied().collect(),
                    ends: ends.collect(),
                    classes: *classes,
                }
            }
        }
    }

    /// Number of labels; `None` where there are none.
    pub fn len(&self) -> Option<usize> {
        match self {
            Labels::None => None,
            Labels::Classes { indices, .. } => Some(indices.len()),
            Labels::OneHot(t) | Labels::MultiHot(t) | Labels::Real(t) => Some(t.shape()[0]),
            Labels::WordClasses { ends, .. } => Some(ends.len()),
        }
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.len().is_none_or(|n| n == 0)
    }

    /// What the labels are.
    pub fn kind(&self) -> LabelKind {
        match self {
            Labels::None => LabelKind::None,
            Labels::Classes { classes, .. } => LabelKind::ClassIndex { classes: *classes },
            Labels::OneHot(t) => LabelKind::OneHot { classes: t.shape()[1] },
            Labels::MultiHot(t) => LabelKind::MultiHot { classes: t.shape()[1] },
            Labels::Real(t) => LabelKind::Real { shape: t.shape()[1..].to_vec() },
            Labels::WordClasses { classes, .. } => LabelKind::WordClasses { classes: *classes },
        }
    }

    /// Bytes that they take in memory.
    pub fn size_bytes(&self) -> usize {
        match self {
            Labels::None => 0,
            Labels::Classes { indices, .. } => size_of_val(indices.as_slice()),
            Labels::OneHot(t) | Labels::MultiHot(t) | Labels::Real(t) => t.size_bytes(),
            Labels::WordClasses { indices, ends, .. } => size_of_val(indices.as_slice()) + size_of_val(ends.as_slice()),
        }
    }

    /// Number of classes; `None` for real values and where there are no labels.
    pub fn class_count(&self) -> Option<usize> {
        match self.kind() {
            LabelKind::ClassIndex { classes }
            | LabelKind::OneHot { classes }
            | LabelKind::MultiHot { classes }
            | LabelKind::WordClasses { classes } => Some(classes),
            LabelKind::None | LabelKind::Real { .. } => None,
        }
    }

    /// The class of one example; `None` where an example has not exactly one class.
    pub fn class_of(&self, index: usize) -> Option<usize> {
        match self {
            Labels::Classes { indices, .. } => indices.get(index).map(|&i| i as usize),
            Labels::OneHot(_) => self.row(index)?.iter().position(|&v| v == 1.0),
            _ => None,
        }
    }

    /// The classes of the words of one example; `None` where words have no labels.
    pub fn word_classes(&self, index: usize) -> Option<&[i32]> {
        let Labels::WordClasses { indices, ends, .. } = self else { return None };
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        indices.get(start..*ends.get(index)?)
    }

    /// The vector of one example; `None` for class indices and where there are no labels.
    pub fn row(&self, index: usize) -> Option<&[f32]> {
        let (Labels::OneHot(t) | Labels::MultiHot(t) | Labels::Real(t)) = self else { return None };
        let width = t.shape()[1..].iter().product::<usize>();
        t.as_f32()?.get(index * width..(index + 1) * width)
    }
}

fn tensor(shape: Vec<usize>, values: Vec<f32>) -> Tensor {
    Tensor::new(shape, values).expect("as many values as the tensor they came from, of the same size")
}

fn one_hot_of_width(
    place: &str,
    values: Vec<f32>,
    rows: usize,
    columns: usize,
    classes: Option<usize>,
    wrong: impl Fn(&str) -> DataError,
) -> Result<Labels, DataError> {
    match classes {
        Some(classes) if classes < columns => {
            // Name the example whose class lies outside, if there is one; else the width itself is wrong.
            let outside = values.iter().position(|&v| v == 1.0).map(|_| {
                values.chunks_exact(columns).enumerate().find_map(|(row, v)| {
                    v.iter().position(|&v| v == 1.0).filter(|&class| class >= classes).map(|class| (row, class))
                })
            });
            match outside.flatten() {
                Some((row, class)) => Err(DataError::LabelOutOfRange {
                    place: format!("{place}, example {row}"),
                    label: class as i64,
                    classes,
                }),
                None => Err(wrong(&format!("[examples, {classes}]"))),
            }
        }
        Some(classes) if classes > columns => Err(wrong(&format!("[examples, {classes}]"))),
        _ => Ok(Labels::OneHot(tensor(vec![rows, columns], values))),
    }
}

fn class_indices(place: &str, labels: &Tensor, classes: Option<usize>) -> Result<Labels, DataError> {
    let wide: Vec<i64> = match labels.values() {
        Values::I8(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Values::I16(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Values::I32(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Values::I64(v) => v.clone(),
        Values::U8(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Values::U16(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Values::U32(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Values::U64(v) => v.iter().map(|&x| i64::try_from(x).unwrap_or(i64::MAX)).collect(),
        Values::Bool(v) => v.iter().map(|&x| i64::from(x)).collect(),
        _ => {
            let floats = labels.to_f32_vec();
            if let Some(row) = floats.iter().position(|v| v.fract() != 0.0 || v.abs() >= 16_777_216.0) {
                return Err(DataError::setting(
                    format!("class label of {place}, example {row}"),
                    "an integer",
                    floats[row],
                ));
            }
            floats.iter().map(|&v| v as i64).collect()
        }
    };
    // A label beyond every sensible number of classes would ask for absurd memory later on.
    const MOST_CLASSES: usize = 1 << 24;
    let limit = classes.unwrap_or(MOST_CLASSES);
    if let Some(row) = wide.iter().position(|&v| usize::try_from(v).map_or(true, |v| v >= limit)) {
        return Err(DataError::LabelOutOfRange {
            place: format!("{place}, example {row}"),
            label: wide[row],
            classes: limit,
        });
    }
    let largest = wide.iter().max().map_or(0, |&v| v as usize + 1);
    Ok(Labels::Classes { indices: wide.iter().map(|&v| v as i32).collect(), classes: classes.unwrap_or(largest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(t: Tensor, wanted: Option<LabelType>, classes: Option<usize>) -> Result<Labels, DataError> {
        Labels::from_tensor("test", t, wanted, classes)
    }

    #[test]
    fn kinds_are_told_from_type_and_shape() {
        let column = Tensor::new([3, 1], vec![0i64, 2, 1]).unwrap();
        assert_eq!(labels(column.clone(), None, None).unwrap().kind(), LabelKind::ClassIndex { classes: 3 });
        assert_eq!(labels(column.clone(), None, Some(5)).unwrap().kind(), LabelKind::ClassIndex { classes: 5 });
        assert_eq!(labels(column, Some(LabelType::Real), None).unwrap().kind(), LabelKind::Real { shape: vec![1] });
        let one_hot = Tensor::new([2, 3], vec![0f32, 1.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        let one_hot = labels(one_hot, None, None).unwrap();
        assert_eq!(one_hot.kind(), LabelKind::OneHot { classes: 3 });
        assert_eq!((one_hot.class_of(0), one_hot.class_of(1), one_hot.class_of(2)), (Some(1), Some(2), None));
        let multi = Tensor::new([2, 3], vec![1u8, 1, 0, 0, 0, 0]).unwrap();
        assert_eq!(labels(multi, None, None).unwrap().kind(), LabelKind::MultiHot { classes: 3 });
        let real = Tensor::new([2], vec![0.5f64, 7.0]).unwrap();
        assert_eq!(labels(real, None, None).unwrap().kind(), LabelKind::Real { shape: vec![1] });
    }

    #[test]
    fn labels_outside_the_range_name_the_example() {
        for (values, label) in [(vec![0i32, 3, 1], 3), (vec![0, -1, 1], -1)] {
            let error = labels(Tensor::new([3], values).unwrap(), None, Some(3)).unwrap_err();
            assert!(
                matches!(&error, DataError::LabelOutOfRange { place, label: l, classes: 3 } if place == "test, example 1" && *l == label),
                "{error}"
            );
        }
        let one_hot = Tensor::new([2, 3], vec![0f32, 1.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        assert!(matches!(labels(one_hot, None, Some(2)), Err(DataError::LabelOutOfRange { label: 2, .. })));
        let huge = Tensor::new([1], vec![u64::MAX]).unwrap();
        assert!(matches!(labels(huge, None, None), Err(DataError::LabelOutOfRange { .. })));
    }

    #[test]
    fn what_cannot_be_a_class_is_refused() {
        let halves = Tensor::new([2], vec![0.5f32, 1.0]).unwrap();
        assert!(matches!(labels(halves, Some(LabelType::Class), None), Err(DataError::Setting { .. })));
        let matrix = Tensor::new([2, 2], vec![1i32, 2, 3, 4]).unwrap();
        assert!(matches!(labels(matrix, Some(LabelType::Class), None), Err(DataError::WrongShape { .. })));
        let nan = Tensor::new([2], vec![0.5f32, f32::NAN]).unwrap();
        assert!(matches!(labels(nan, None, None), Err(DataError::Setting { .. })));
    }
}
