//! The page of a comparison of several models.

use super::content::{Mistake, ResultName, ResultRow};
use super::markup::{element, escape};
use super::texts::Texts;
use super::{html, numbers, tables};
use crate::comparison::unit;
use crate::contest::{Contest, Pair, Parting};
use crate::language::{Language, fill};
use crate::summary::mistakes::{picture, place};
use retune_data::Dataset;
use std::fmt::Write;

/// A comparison with what is needed to show its items.
pub struct ContestReport<'a> {
    /// Language of the page.
    pub language: Language,
    /// The figures.
    pub contest: &'a Contest,
    /// Items on which the models part.
    pub partings: &'a [Parting],
    /// The data set.
    pub data: &'a Dataset,
    /// The items' ids there.
    pub ids: &'a [u64],
    /// Names of the classes.
    pub class_name: &'a dyn Fn(usize) -> String,
}

/// How an item is shown where there is room for text alone: its file's name, its text, or its number.
pub fn shown_item(data: &Dataset, id: u64) -> String {
    place(data, id)
}

impl ContestReport<'_> {
    /// The page: one HTML file with all in it.
    pub fn html(&self) -> String {
        let t = Texts::of(self.language);
        let names: Vec<&str> = self.contest.models.iter().map(|model| model.name.as_str()).collect();
        let title = names.join(" · ");
        let items = numbers::count(self.contest.items as u64);
        let lead = fill(t.contest_lead, &[("items", &items)]);
        let mut main = format!("<header>\n<h1>{}</h1>\n{}\n</header>\n", escape(&title), element("p", "lead", &lead));
        html::section(
            &mut main,
            t.results,
            &(element("p", "note", t.results_note) + &tables::results(&self.rows(), t)),
        );
        let pairs: String = self.contest.pairs.iter().map(|pair| self.pair(pair, t)).collect();
        html::section(&mut main, t.contest_pairs, &(element("p", "note", t.contest_note) + &pairs));
        if !self.partings.is_empty() {
            html::section(&mut main, t.contest_partings, &self.items(t));
        }
        html::document(&title, self.language, &main)
    }

    fn rows(&self) -> Vec<ResultRow> {
        let metrics = self.contest.metrics.iter().enumerate();
        let rows = metrics.flat_map(|(place, &metric)| {
            let row = move |model: &crate::contest::Contestant| {
                let estimate = model.values[place]?;
                Some(ResultRow {
                    name: ResultName::Model(model.name.clone()),
                    metric: metric.to_string(),
                    unit: unit(metric),
                    value: estimate.value,
                    low: Some(estimate.low),
                    high: Some(estimate.high),
                    items: self.contest.items,
                })
            };
            self.contest.models.iter().filter_map(row).collect::<Vec<_>>()
        });
        rows.collect()
    }

    fn pair(&self, pair: &Pair, t: &Texts) -> String {
        let name = |place: usize| self.contest.models[place].name.as_str();
        let heading = fill(t.contest_pair, &[("first", name(pair.first)), ("second", name(pair.second))]);
        let mut body = String::new();
        for tested in &pair.differences {
            let Some(paired) = tested.difference else { continue };
            let value = |value: f64| html::signed(value, unit(tested.metric));
            let interval = format!("{} – {}", value(paired.difference.low), value(paired.difference.high));
            let p = |p: Option<f64>| p.map(numbers::p_value).unwrap_or_default();
            let (class, verdict) = match (tested.corrected_p_value, tested.is_real()) {
                (None, _) => ("", ""),
                (_, true) => ("strong", t.contest_real),
                (_, false) => ("soft", t.contest_chance),
            };
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{}</th><td class=\"n strong\">{}</td><td class=\"n soft\">{interval}</td>\
                 <td class=\"n soft\">{}</td><td class=\"n\">{}</td>{}</tr>",
                escape(&tested.metric.to_string()),
                value(paired.difference.value),
                escape(p(tested.p_value).trim()),
                escape(p(tested.corrected_p_value).trim()),
                element("td", class, verdict)
            );
        }
        let columns =
            [t.contest_difference, t.interval_column, "p", t.contest_corrected].map(|name| format!("#{name}"));
        let head = tables::head(&["", &columns[0], &columns[1], &columns[2], &columns[3], ""]);
        let mut out = format!("{}\n{}", element("h3", "", &heading), tables::table("", &heading, &head, &body));
        if let Some(test) = &pair.mcnemar {
            let (gained, lost) = (numbers::count(test.only_second as u64), numbers::count(test.only_first as u64));
            let values =
                [("gained", &*gained), ("lost", &*lost), ("first", name(pair.first)), ("second", name(pair.second))];
            out += &(element("p", "note", &fill(t.contest_right_only, &values)) + "\n");
        }
        out
    }

    /// Items on which the models part, with every model's answer.
    fn items(&self, t: &Texts) -> String {
        let answer = |parting: &Parting| -> String {
            let one = |(model, (&class, &p)): (&crate::contest::Contestant, (&u32, &f32))| {
                format!("{}: {} ({})", model.name, (self.class_name)(class as usize), numbers::percent(f64::from(p)))
            };
            let answers = parting.answers.iter().zip(&parting.probabilities);
            self.contest.models.iter().zip(answers).map(one).collect::<Vec<_>>().join("; ")
        };
        let shown: Vec<Mistake> = self
            .partings
            .iter()
            .map(|parting| Mistake {
                place: place(self.data, self.ids[parting.item]),
                truth: (self.class_name)(parting.truth as usize),
                answer: answer(parting),
                probability: None,
                picture: picture(self.data, self.ids[parting.item]),
            })
            .collect();
        element("p", "note", t.contest_partings_note) + &tables::items(&shown, t.contest_partings, t.probability, t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::partings;
    use crate::metrics::{Metric, Resampling, Scored};
    use retune_data::{Inputs, Labels};
    use retune_tensor::Tensor;

    #[test]
    fn a_page_has_every_pair_and_the_items() {
        let model = |name: &str, yes: [f32; 4]| {
            (name.to_owned(), Scored::classes(yes.to_vec(), 1, vec![1, 1, 0, 0]).unwrap().with_both_classes())
        };
        let models = [model("<a>", [0.9, 0.8, 0.1, 0.2]), model("b", [0.9, 0.3, 0.1, 0.2]), model("c", [0.9; 4])];
        let contest = Contest::new(&models, &[Metric::Accuracy, Metric::LogLoss], &Resampling::new(1)).unwrap();
        let found = partings(&models, 10);
        assert_eq!(found.len(), 3);
        let data = Dataset::new("t", Inputs::Features(Tensor::zeros([4, 1])), Labels::None).unwrap();
        let report = |language| ContestReport {
            language,
            contest: &contest,
            partings: &found,
            data: &data,
            ids: models[0].1.ids(),
            class_name: &|class| format!("class {class}"),
        };
        let html = report(Language::English).html();
        assert!(html.contains("&lt;a&gt; · b · c") && !html.contains("<a>"));
        for part in ["b against &lt;a&gt;", "c against b", "class 1 (90.0", "4 items"] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        assert!(report(Language::Chinese).html().contains("回答不一致的样本"));
    }
}
