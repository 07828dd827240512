//! Examples that are unlike all others: texts of unusual characters, plain or unusually dark or bright images, numbers far off.
//!
//! A value is far off where it lies more than [`FAR`] robust standard deviations (1.4826 times the median of absolute deviations) from the
//! median. Of texts the value is the mean information of their characters by the frequencies in the whole data, in bits; of images
//! their mean brightness.

use super::lengths::quantile;
use super::{Example, Finding, Kind, Remedy, Severity, noun, percent, verb};
use crate::collection::{Collection, Content, Item, Table};
use crate::facts::Facts;
use crate::language::Said;
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
    let found: Vec<(Item, Said)> = match collection.parts().first()? {
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
        title: Said::new(
            format!(
                "{} {} unlike all others ({}).",
                noun(collection).counted(found.len()).english(),
                verb(found.len(), "is", "are"),
                percent(found.len(), collection.len())
            ),
            format!(
                "{}与其他的都不同（{}）。",
                noun(collection).chinese(found.len()),
                percent(found.len(), collection.len())
            ),
        ),
        why: Said::new(
            "They may be of another language, kind or unit, or not belong here at all.",
            "它们可能属于另一种语言、类型或单位，或者根本不该在这里。",
        ),
        count: found.len(),
        details: Vec::new(),
        examples: found
            .iter()
            .take(examples)
            .map(|(item, note)| Example::new(collection, &[*item], note.clone()))
            .collect(),
        remedy: Remedy::Advice(Said::new(
            "Look at them, and take out what does not belong.",
            "请查看它们，并去掉不属于这里的。",
        )),
    })
}

fn texts(collection: &Collection, facts: &Facts) -> Vec<(Item, Said)> {
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
    let note = |z: f64| match z > 0.0 {
        true => Said::new("unusual characters", "字符少见"),
        false => Said::new("few characters, again and again", "反复使用少数字符"),
    };
    far_off(&values, FAR).into_iter().map(|(item, z)| (item, note(z))).collect()
}

fn images(facts: &Facts) -> Vec<(Item, Said)> {
    let known = || facts.images.iter().enumerate().filter_map(|(item, image)| Some((item as Item, (*image)?)));
    let values: Vec<(Item, f64)> = known().map(|(item, image)| (item, f64::from(image.brightness))).collect();
    let count = values.len();
    let plain: Vec<(Item, Said)> = known()
        .filter(|(_, image)| image.contrast < PLAIN)
        .map(|(item, _)| (item, Said::new("of one colour, nearly", "几乎是单一颜色")))
        .collect();
    // Where most are plain, that is what the images are.
    let plain = if plain.len() * 2 > count { Vec::new() } else { plain };
    let bright = |z: f64| match z > 0.0 {
        true => Said::new("far brighter than the others", "远比其他图像亮"),
        false => Said::new("far darker than the others", "远比其他图像暗"),
    };
    let far = far_off(&values, FAR).into_iter().map(|(item, z)| (item, bright(z)));
    let mut all: Vec<(Item, Said)> = plain.into_iter().chain(far).collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|(item, _)| seen.insert(*item));
    all
}

/// Numbers of the training part, by column.
fn numbers(table: &Table) -> Vec<(Item, Said)> {
    let mut worst: HashMap<Item, (f64, Said)> = HashMap::new();
    for column in (0..table.width()).filter(|&column| Some(column) != table.label_column()) {
        let number = |row: usize| table.cell(row, column)?.parse::<f64>().ok().filter(|value| value.is_finite());
        let rows = (0..table.rows().len()).filter(|&row| table.is_whole(row));
        let values: Vec<(Item, f64)> = rows.filter_map(|row| Some((row as Item, number(row)?))).collect();
        for (item, z) in far_off(&values, FAR_IN_TABLES) {
            let entry = worst.entry(item).or_insert((0.0, Said::default()));
            if z.abs() > entry.0 {
                let cell = table.cell(item as usize, column).unwrap_or_default();
                let name = table.column_name(column);
                *entry = (z.abs(), Said::new(format!("`{name}` is {cell}"), format!("`{name}` 为 {cell}")));
            }
        }
    }
    let mut found: Vec<(Item, (f64, Said))> = worst.into_iter().collect();
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
