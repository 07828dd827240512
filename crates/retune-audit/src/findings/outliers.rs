//! Examples that are unlike all others: texts of unusual characters, plain or unusually dark or bright images, numbers far off.
//!
//! A value is far off where it lies more than [`FAR`] robust standard deviations (1.4826 times the median of absolute deviations) from the
//! median. Of texts the value is the mean information of their characters by the frequencies in the whole data, in bits; of images
//! their mean brightness.

use super::lengths::quantile;
use super::{Example, Finding, Kind, Remedy, Severity, counted, noun, percent, verb};
use crate::collection::{Collection, Content, Item, Table};
use crate::facts::Facts;
use rayon::prelude::*;
use std::collections::HashMap;

/// Robust standard deviations beyond which a value is far off.
pub const FAR: f64 = 8.0;
/// The same for numbers of a table, whose tails are often long.
const FAR_IN_TABLES: f64 = 30.0;
/// Characters of a text below which its mean says little.
const LEAST_CHARACTERS: usize = 20;
/// Contrast (standard deviation of grey values, of 255) below which an image is plain.
const PLAIN: f32 = 2.0;

/// Values far off the others, each with its number of robust standard deviations, the farthest first.
pub fn far_off(values: &[(Item, f64)], far: f64) -> Vec<(Item, f64)> {
    if values.len() < 20 {
        return Vec::new();
    }
    let mut sorted: Vec<f64> = values.iter().map(|value| value.1).collect();
    sorted.par_sort_unstable_by(f64::total_cmp);
    let middle = quantile(&sorted, 0.5);
    sorted.iter_mut().for_each(|value| *value = (*value - middle).abs());
    sorted.par_sort_unstable_by(f64::total_cmp);
    let spread = 1.4826 * quantile(&sorted, 0.5);
    if spread <= 0.0 {
        return Vec::new();
    }
    let mut found: Vec<(Item, f64)> =
        values.iter().map(|&(item, value)| (item, (value - middle) / spread)).filter(|(_, z)| z.abs() > far).collect();
    found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    found
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let found: Vec<(Item, String)> = match collection.parts().first()? {
        part if part.has_texts() => texts(collection, facts),
        part if part.has_images() => images(facts),
        part => match &part.content {
            Content::Table(table) => numbers(table),
            Content::Examples(_) => Vec::new(),
        },
    };
    (!found.is_empty()).then(|| Finding {
        kind: Kind::Outliers,
        severity: Severity::Note,
        title: format!(
            "{} {} unlike all others ({}).",
            counted(found.len(), noun(collection)),
            verb(found.len(), "is", "are"),
            percent(found.len(), collection.len())
        ),
        why: "They may be of another language, kind or unit, or not belong here at all.".to_owned(),
        count: found.len(),
        details: Vec::new(),
        examples: found
            .iter()
            .take(examples)
            .map(|(item, note)| Example::new(collection, &[*item], note.clone()))
            .collect(),
        remedy: Remedy::Advice("Look at them, and take out what does not belong.".to_owned()),
    })
}

fn texts(collection: &Collection, facts: &Facts) -> Vec<(Item, String)> {
    let items: Vec<Item> = collection.items().filter(|&item| facts.is_usable(item)).collect();
    let characters = |item: Item| collection.text(item).map(|text| text.to_lowercase()).unwrap_or_default();
    let counts: HashMap<char, u64> = items
        .par_chunks(4096)
        .map(|chunk| {
            let mut counts = HashMap::new();
            chunk.iter().for_each(|&item| characters(item).chars().for_each(|c| *counts.entry(c).or_insert(0u64) += 1));
            counts
        })
        .reduce(HashMap::new, |mut all, part| {
            part.into_iter().for_each(|(c, n)| *all.entry(c).or_default() += n);
            all
        });
    let total = counts.values().sum::<u64>() as f64;
    let bits: HashMap<char, f64> = counts.into_iter().map(|(c, n)| (c, (total / n as f64).log2())).collect();
    let values: Vec<(Item, f64)> = items
        .into_par_iter()
        .filter_map(|item| {
            let text = characters(item);
            let sum: f64 = text.chars().filter_map(|c| bits.get(&c)).sum();
            let n = text.chars().count();
            (n >= LEAST_CHARACTERS).then(|| (item, sum / n as f64))
        })
        .collect();
    let note = |z: f64| if z > 0.0 { "unusual characters" } else { "few characters, again and again" };
    far_off(&values, FAR).into_iter().map(|(item, z)| (item, note(z).to_owned())).collect()
}

fn images(facts: &Facts) -> Vec<(Item, String)> {
    let known = || facts.images.iter().enumerate().filter_map(|(item, image)| Some((item as Item, (*image)?)));
    let values: Vec<(Item, f64)> = known().map(|(item, image)| (item, f64::from(image.brightness))).collect();
    let count = values.len();
    let plain: Vec<(Item, String)> = known()
        .filter(|(_, image)| image.contrast < PLAIN)
        .map(|(item, _)| (item, "of one colour, nearly".to_owned()))
        .collect();
    // Where most are plain, that is what the images are.
    let plain = if plain.len() * 2 > count { Vec::new() } else { plain };
    let bright = |z: f64| if z > 0.0 { "far brighter than the others" } else { "far darker than the others" };
    let far = far_off(&values, FAR).into_iter().map(|(item, z)| (item, bright(z).to_owned()));
    let mut all: Vec<(Item, String)> = plain.into_iter().chain(far).collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|(item, _)| seen.insert(*item));
    all
}

/// Numbers of the training part, by column.
fn numbers(table: &Table) -> Vec<(Item, String)> {
    let mut worst: HashMap<Item, (f64, String)> = HashMap::new();
    for column in (0..table.width()).filter(|&column| Some(column) != table.label_column()) {
        let number = |row: usize| table.cell(row, column)?.parse::<f64>().ok().filter(|value| value.is_finite());
        let rows = (0..table.rows().len()).filter(|&row| table.is_whole(row));
        let values: Vec<(Item, f64)> = rows.filter_map(|row| Some((row as Item, number(row)?))).collect();
        for (item, z) in far_off(&values, FAR_IN_TABLES) {
            let entry = worst.entry(item).or_insert((0.0, String::new()));
            if z.abs() > entry.0 {
                let cell = table.cell(item as usize, column).unwrap_or_default();
                *entry = (z.abs(), format!("`{}` is {cell}", table.column_name(column)));
            }
        }
    }
    let mut found: Vec<(Item, (f64, String))> = worst.into_iter().collect();
    found.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(a.0.cmp(&b.0)));
    found.into_iter().map(|(item, (_, note))| (item, note)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_far_off_is_found() {
        let mut values: Vec<(Item, f64)> = (0..100).map(|i| (i, f64::from(i % 10))).collect();
        assert!(far_off(&values, FAR).is_empty());
        values.push((100, 60.0));
        values.push((101, -70.0));
        assert_eq!(far_off(&values, FAR).iter().map(|f| f.0).collect::<Vec<_>>(), [101, 100]);
        assert!(far_off(&[(0, 1.0); 50], FAR).is_empty());
    }
}
