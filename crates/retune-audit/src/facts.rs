//! [`Facts`]: what is measured of every item once, for all findings.

use crate::collection::{Collection, Content, Item};
use crate::fingerprint::{Fingerprint, fingerprint, groups_of_equal};
use crate::near::leaders::Forest;
use crate::near::minhash::{BANDS, Signatures};
use crate::near::pictures::Picture;
use crate::near::shingles::{jaccard, shingles};
use crate::near::{NearGroup, hamming};
use crate::normalize::normalize;
use rayon::prelude::*;
use retune_data::{BadExample, Inputs};

/// Later images that one is compared with for each byte of its hash.
const MOST_NEIGHBOURS: usize = 32;

/// What of an image is kept: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageFacts {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Perceptual hash.
    pub hash: u64,
    /// Mean of the grey values, 0 to 255.
    pub brightness: f32,
    /// Their standard deviation.
    pub contrast: f32,
}

/// What is measured of every item.
#[derive(Debug)]
pub struct Facts {
    /// Items that cannot be used, each with the reason; ascending.
    pub unusable: Vec<(Item, BadExample)>,
    /// Items that share their content as it is read: text, pixels, cells but for the label.
    pub equal: Vec<Vec<Item>>,
    /// Items that share their normalized text; for anything else the same as `equal`.
    pub same: Vec<Vec<Item>>,
    /// Nearly the same texts and pictures; only the first item of each group of `same` is compared.
    pub near: Vec<NearGroup>,
    /// Facts on images; empty where there are none.
    pub images: Vec<Option<ImageFacts>>,
    /// Texts of which nothing can be seen; ascending.
    pub blank: Vec<Item>,
    /// The least similarity of near duplicates among texts.
    pub similarity: f32,
    is_usable: Vec<bool>,
}

/// What is measured of one item.
#[derive(Default)]
struct One {
    equal: Fingerprint,
    same: Fingerprint,
    image: Option<ImageFacts>,
    is_blank: bool,
    problem: Option<BadExample>,
}

impl Facts {
    /// Measures every item. Texts are near duplicates from a Jaccard similarity of `similarity` on.
    pub fn gather(collection: &Collection, similarity: f32) -> Facts {
        let has_images = collection.parts().iter().any(|part| part.has_images());
        let ones: Vec<One> =
            (0..collection.len()).into_par_iter().map(|item| measure(collection, item as Item)).collect();
        let mut unusable: Vec<(Item, BadExample)> = Vec::new();
        for (index, part) in collection.parts().iter().enumerate() {
            let first = collection.items_of(index).start;
            unusable.extend(part.bad_examples().into_iter().map(|bad| (first + bad.id as Item, bad)));
        }
        let (mut equal, mut same, mut images, mut blank) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (item, one) in collection.items().zip(ones) {
            unusable.extend(one.problem.map(|bad| (item, bad)));
            equal.push(one.equal);
            same.push(one.same);
            if has_images {
                images.push(one.image);
            }
            if one.is_blank {
                blank.push(item);
            }
        }
        unusable.sort_by_key(|(item, _)| *item);
        let mut is_usable = vec![true; collection.len()];
        unusable.iter().for_each(|(item, _)| is_usable[*item as usize] = false);
        let (equal, same) = (groups_of_equal(&equal), groups_of_equal(&same));
        let mut facts = Facts { unusable, equal, same, near: Vec::new(), images, blank, similarity, is_usable };
        facts.near = facts.near_groups(collection);
        facts
    }

    /// Whether an item could be read.
    pub fn is_usable(&self, item: Item) -> bool {
        self.is_usable[item as usize]
    }

    /// Similarity of two items, texts or images, where they are near duplicates.
    pub fn near_similarity(&self, collection: &Collection, a: Item, b: Item) -> Option<f32> {
        if self.images.is_empty() {
            let [a, b] = [a, b].map(|item| load_shingles(collection, item));
            self.text_similarity(&a?, &b?)
        } else {
            let [a, b] = [a, b].map(|item| load_picture(collection, item));
            a?.similarity(&b?)
        }
    }

    fn text_similarity(&self, a: &[u32], b: &[u32]) -> Option<f32> {
        // Sets of too different sizes need not be compared.
        let (short, long) = (a.len().min(b.len()) as f32, a.len().max(b.len()) as f32);
        if short < self.similarity * long {
            return None;
        }
        Some(jaccard(a, b)).filter(|&found| found >= self.similarity)
    }

    fn near_groups(&self, collection: &Collection) -> Vec<NearGroup> {
        let mut is_repeated = vec![false; collection.len()];
        self.same.iter().flat_map(|group| &group[1..]).for_each(|&item| is_repeated[item as usize] = true);
        let distinct = |item: &Item| !is_repeated[*item as usize] && self.is_usable(*item);
        let mut forest = Forest::new(collection.len());
        if !self.images.is_empty() {
            let hashed = |item: Item| Some((item, self.images[item as usize]?.hash));
            let (items, hashes): (Vec<Item>, Vec<u64>) = collection.items().filter(distinct).filter_map(hashed).unzip();
            let pairs = hamming::near_pairs(&items, &hashes, MOST_NEIGHBOURS);
            forest.add(&pairs, |item| load_picture(collection, item), |a, b| a.similarity(b).is_some());
            return forest.groups(|item| load_picture(collection, item), Picture::similarity);
        }
        if !collection.parts().iter().any(|part| part.has_texts()) {
            return Vec::new();
        }
        let items: Vec<Item> = collection.items().filter(distinct).collect();
        let text = |item: Item| collection.text(item).map(|text| normalize(&text)).unwrap_or_default();
        let signatures = Signatures::new(&items, text);
        let load = |item: Item| load_shingles(collection, item);
        for band in 0..BANDS {
            forest.add(&signatures.buckets(band), load, |a, b| self.text_similarity(a, b).is_some());
        }
        forest.groups(load, |a, b| self.text_similarity(a, b))
    }
}

fn load_shingles(collection: &Collection, item: Item) -> Option<Vec<u32>> {
    Some(shingles(&normalize(&collection.text(item)?)))
}

fn load_picture(collection: &Collection, item: Item) -> Option<Picture> {
    let (part, index) = collection.at(item);
    Some(Picture::new(&part.image(index)?.ok()?))
}

fn measure(collection: &Collection, item: Item) -> One {
    let (part, index) = collection.at(item);
    if !part.is_usable(index) {
        return One::default();
    }
    if let Some(text) = part.text(index) {
        let normalized = normalize(&text);
        let is_blank = normalized.is_empty();
        // A text of which nothing is seen is blank, and no duplicate of other such texts.
        let print = |text: &str| if is_blank { 0 } else { fingerprint(text.as_bytes()) };
        return One { equal: print(&text), same: print(&normalized), is_blank, ..One::default() };
    }
    if let Some(image) = part.image(index) {
        return match image {
            Ok(image) => {
                let size = [image.width, image.height, image.channels].map(|n| (n as u64).to_le_bytes()).concat();
                let picture = Picture::new(&image);
                let print = fingerprint(&[&size, image.pixels.as_slice()].concat());
                let facts = ImageFacts {
                    width: image.width as u32,
                    height: image.height as u32,
                    hash: picture.hash(),
                    brightness: picture.brightness(),
                    contrast: picture.contrast(),
                };
                One { equal: print, same: print, image: Some(facts), ..One::default() }
            }
            Err(reason) => {
                let place = part.place(index).0;
                One { problem: Some(BadExample { id: index as u64, place, reason }), ..One::default() }
            }
        };
    }
    let print = match &part.content {
        Content::Table(table) => {
            let cells = (0..table.width()).filter(|&column| Some(column) != table.label_column());
            let cells: Vec<&str> = cells.filter_map(|column| table.cell(index, column)).collect();
            fingerprint(cells.join("\u{1f}").as_bytes())
        }
        Content::Examples(data) => match data.inputs() {
            Inputs::Features(_) => {
                let values = data.first_values(index as u64, usize::MAX);
                fingerprint(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
            }
            _ => 0,
        },
    };
    One { equal: print, same: print, ..One::default() }
}
