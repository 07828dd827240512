//! The items that the network got wrong, the surest or farthest off first, and those that are hardest for it.

use crate::metrics::{Entity, Problem, Scored};
use crate::report::{Mistake, png_address};
use retune_data::thumbnail::thumbnail;
use retune_data::{Dataset, Inputs};

/// Most items that are shown.
const MOST: usize = 24;
/// Most of the hardest items that are shown.
const HARDEST: usize = 12;
/// Longest side of a picture, in pixels; it is shown at about this size on a dense screen.
const PICTURE_SIDE: u32 = 96;
/// Characters of a text that are shown.
const SHOWN_CHARACTERS: usize = 200;
/// Values of a row that are shown.
const SHOWN_VALUES: usize = 6;

/// Of items of one class each, those whose answer is wrong, by the answer's probability; of others (texts with labelled words as well)
/// those of the largest loss.
pub(super) fn mistakes(scored: &Scored, data: &Dataset, class_name: &dyn Fn(usize) -> String) -> Vec<Mistake> {
    let mut wrong: Vec<(f32, usize)> = match scored.problem() {
        Problem::MultiClass | Problem::Binary => {
            let is_wrong = |&item: &usize| scored.predicted_class(item) != scored.true_classes()[item];
            (0..scored.len()).filter(is_wrong).map(|item| (probability(scored, item), item)).collect()
        }
        Problem::MultiLabel => {
            let is_wrong = |&item: &usize| labels(scored.row(item)) != labels(truth(scored, item));
            (0..scored.len()).filter(is_wrong).map(|item| (scored.losses()[item], item)).collect()
        }
        Problem::Regression => scored.losses().iter().copied().zip(0..).filter(|(loss, _)| *loss > 0.0).collect(),
        Problem::Words | Problem::Entities => {
            let is_wrong = |&item: &usize| {
                let (truth, answer) = scored.labels_of_words(item);
                truth != answer
            };
            (0..scored.len()).filter(is_wrong).map(|item| (scored.losses()[item], item)).collect()
        }
        Problem::Unknown => Vec::new(),
    };
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    wrong.truncate(MOST);
    wrong.into_iter().map(|(_, item)| described(scored, data, item, class_name, probability(scored, item))).collect()
}

/// Of items of one class each those of the largest loss, right or wrong, with the probability of what is true; nothing of others, whose
/// [`mistakes`] are these already.
pub(super) fn hardest(scored: &Scored, data: &Dataset, class_name: &dyn Fn(usize) -> String) -> Vec<Mistake> {
    if !matches!(scored.problem(), Problem::MultiClass | Problem::Binary) {
        return Vec::new();
    }
    let truth = |item: usize| match (scored.row(item), scored.true_classes()[item]) {
        (&[yes], 0) => 1.0 - yes,
        (&[yes], _) => yes,
        (row, class) => row[class as usize],
    };
    let mut items: Vec<(f32, usize)> = (0..scored.len()).map(|item| (truth(item), item)).collect();
    items.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    items.truncate(HARDEST);
    items.into_iter().map(|(truth, item)| described(scored, data, item, class_name, truth)).collect()
}

/// An item as it is shown; `probability` is shown where items have one class each.
fn described(
    scored: &Scored,
    data: &Dataset,
    item: usize,
    class_name: &dyn Fn(usize) -> String,
    probability: f32,
) -> Mistake {
    let id = scored.ids()[item];
    let is_class = matches!(scored.problem(), Problem::MultiClass | Problem::Binary);
    let names = |labels: Vec<usize>| match labels.as_slice() {
        [] => "–".to_owned(),
        labels => labels.iter().map(|&label| class_name(label)).collect::<Vec<_>>().join(", "),
    };
    let (truth, answer) = match scored.problem() {
        Problem::MultiLabel => (names(labels(truth(scored, item))), names(labels(scored.row(item)))),
        Problem::Regression => (values(truth(scored, item)), values(scored.row(item))),
        Problem::Words | Problem::Entities => words(scored, data, item, class_name),
        _ => (class_name(scored.true_classes()[item] as usize), class_name(scored.predicted_class(item) as usize)),
    };
    Mistake {
        place: place(data, id),
        truth,
        answer,
        probability: is_class.then(|| f64::from(probability)),
        picture: picture(data, id),
    }
}

/// The true and the answered labels of the words at which they differ, or the entities that only one of both has.
fn words(scored: &Scored, data: &Dataset, item: usize, class_name: &dyn Fn(usize) -> String) -> (String, String) {
    let Some(labelled) = scored.words() else { return Default::default() };
    let texts = data.words_of(scored.ids()[item]).unwrap_or_default();
    let places = &labelled.places[labelled.range(item)];
    let text = |from: usize, to: usize| -> String {
        places[from..to]
            .iter()
            .filter_map(|&place| texts.get(place as usize).map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (truth, answer) = scored.labels_of_words(item);
    let shown = |parts: Vec<String>| if parts.is_empty() { "–".to_owned() } else { parts.join(", ") };
    let Some(tags) = &labelled.tags else {
        let differing: Vec<usize> = (0..truth.len()).filter(|&word| truth[word] != answer[word]).collect();
        let one = |labels: &[Option<usize>]| {
            let label = |&word: &usize| format!("{} {}", text(word, word + 1), class_name(labels[word].unwrap_or(0)));
            shown(differing.iter().map(label).collect())
        };
        return (one(&truth), one(&answer));
    };
    let [truth, answer] = [truth, answer].map(|labels| tags.entities(&labels, false));
    let only = |of: &[Entity], others: &[Entity]| {
        let left = of.iter().filter(|entity| !others.contains(entity));
        shown(left.map(|e| format!("{} {}", text(e.start, e.end), tags.types()[e.kind])).collect())
    };
    (only(&truth, &answer), only(&answer, &truth))
}

/// The probability that the network gave to its answer.
fn probability(scored: &Scored, item: usize) -> f32 {
    match (scored.row(item), scored.predicted_class(item)) {
        (&[yes], 0) => 1.0 - yes,
        (&[yes], _) => yes,
        (row, class) => row[class as usize],
    }
}

fn truth(scored: &Scored, item: usize) -> &[f32] {
    &scored.true_values()[item * scored.width()..(item + 1) * scored.width()]
}

/// Labels that are said to hold.
fn labels(row: &[f32]) -> Vec<usize> {
    row.iter().enumerate().filter(|(_, value)| **value > 0.5).map(|(label, _)| label).collect()
}

/// A file's name, a text, or the example's number and, where it is a row of a table, its first values.
pub(crate) fn place(data: &Dataset, id: u64) -> String {
    let index = id as usize;
    match data.inputs() {
        Inputs::Encoded(images) => images.name(index).map_or_else(|| data.place(id), |name| name.display().to_string()),
        Inputs::Texts(texts) => match texts.get(index) {
            Some((first, None)) => shortened(&first),
            Some((first, Some(second))) => format!("{} — {}", shortened(&first), shortened(&second)),
            None => data.place(id),
        },
        Inputs::Features(table) if table.shape().len() == 2 => {
            // One more value than is shown, so that it is seen whether there are more.
            format!("example {id}: {}", values(&data.first_values(id, SHOWN_VALUES + 1)))
        }
        Inputs::Table(table) if index < table.rows() => {
            let cells = table.columns().iter().zip(table.row(index)).take(SHOWN_VALUES);
            let cells: Vec<String> =
                cells.map(|(column, text)| format!("{} {}", column.name(), text.unwrap_or("–"))).collect();
            format!("example {id}: {}", shortened(&cells.join(", ")))
        }
        _ => format!("example {id}"),
    }
}

/// A small picture of an item that is one.
pub(crate) fn picture(data: &Dataset, id: u64) -> Option<String> {
    thumbnail(data, id, PICTURE_SIDE).map(|png| png_address(&png))
}

/// The beginning of a text.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// `1.5, -2, 0.25, …`
fn values(row: &[f32]) -> String {
    let mut texts: Vec<String> = row.iter().take(SHOWN_VALUES).map(|&value| number(value)).collect();
    if row.len() > SHOWN_VALUES {
        texts.push("…".into());
    }
    texts.join(", ")
}

/// Four significant digits.
fn number(value: f32) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_data::Labels;
    use retune_tensor::Tensor;

    fn data(inputs: Inputs) -> Dataset {
        Dataset::new("test", inputs, Labels::None).unwrap()
    }

    #[test]
    fn the_surest_wrong_answers_come_first() {
        let scores = vec![0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.3, 0.7];
        let scored = Scored::classes(scores, 2, vec![0, 0, 1, 1]).unwrap().with_ids(vec![5, 4, 1, 0]);
        let images = Inputs::Images(Tensor::new([6, 2, 2, 1], (0u8..24).collect::<Vec<_>>()).unwrap());
        let found = mistakes(&scored, &data(images), &|class| format!("kind {class}"));
        let row = |m: &Mistake| (m.place.clone(), m.truth.clone(), m.answer.clone(), m.probability.map(|p| p as f32));
        let expected = |id: u64, truth: &str, answer: &str, p: f32| {
            (format!("example {id}"), truth.to_owned(), answer.to_owned(), Some(p))
        };
        assert_eq!(
            found.iter().map(row).collect::<Vec<_>>(),
            [expected(4, "kind 0", "kind 1", 0.8), expected(1, "kind 1", "kind 0", 0.6)]
        );
        assert!(found[0].picture.as_ref().is_some_and(|p| p.starts_with("data:image/png;base64,")));
    }

    #[test]
    fn the_hardest_items_are_those_whose_truth_is_least_likely() {
        let scores = vec![0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.45, 0.55];
        let scored = Scored::classes(scores, 2, vec![0, 0, 1, 1]).unwrap();
        let table = data(Inputs::Features(Tensor::zeros([4, 1])));
        let found = hardest(&scored, &table, &|class| class.to_string());
        let shown: Vec<f32> = found.iter().map(|m| m.probability.unwrap() as f32).collect();
        assert_eq!(shown, [0.2, 0.4, 0.55, 0.9]);
        assert_eq!((found[2].truth.as_str(), found[2].answer.as_str()), ("1", "1"), "right, but hard");
        let values = Scored::values(vec![1.0], 1, vec![0.0]).unwrap();
        assert!(hardest(&values, &table, &|class| class.to_string()).is_empty());
    }

    #[test]
    fn the_largest_errors_come_first_with_their_rows() {
        let scored = Scored::values(vec![1.0, 2.5, 7.0], 1, vec![1.0, 2.0, 3.0]).unwrap();
        let scored = scored.with_losses(vec![0.0, 0.25, 16.0]);
        let table = Inputs::Features(Tensor::new([3, 2], vec![1.0f32, 2.0, 3.0, 4.5, -0.125, 123_456.0]).unwrap());
        let found = mistakes(&scored, &data(table), &|class| class.to_string());
        assert_eq!(found.len(), 2, "the first is right");
        assert_eq!((found[0].place.as_str(), found[0].truth.as_str()), ("example 2: -0.125, 123456", "3"));
        assert_eq!((found[1].answer.as_str(), found[1].probability), ("2.5", None));
        assert!(found.iter().all(|m| m.picture.is_none()));
    }

    #[test]
    fn labels_are_named() {
        let scored = Scored::labels(vec![0.9, 0.2, 0.1, 0.1], 2, vec![1.0, 1.0, 0.0, 0.0]).unwrap();
        let table = Inputs::Features(Tensor::zeros([2, 8]));
        let found = mistakes(&scored.with_losses(vec![2.0, 0.1]), &data(table), &|label| format!("l{label}"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].truth.as_str(), found[0].answer.as_str()), ("l0, l1", "l0"));
        assert_eq!(found[0].place, "example 0: 0, 0, 0, 0, 0, 0, …");
    }
}
