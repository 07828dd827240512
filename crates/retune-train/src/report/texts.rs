//! Every word of the page, in every language.

use super::content::{DataNote, ResultName, Warning};
use crate::comparison::BaselineKind;
use crate::language::fill;

impl Texts {
    /// What was evaluated, in words.
    pub(super) fn result<'a>(&self, name: &'a ResultName) -> &'a str {
        match name {
            ResultName::Model(name) => name,
            ResultName::Before => self.before,
            ResultName::MostFrequent => self.most_frequent,
            ResultName::Probe => self.probe,
            ResultName::After => self.after,
        }
    }

    /// What stands in for the untouched model, in words.
    pub(super) fn baseline(&self, kind: BaselineKind) -> &'static str {
        match kind {
            BaselineKind::MostFrequent => self.most_frequent,
            BaselineKind::Probe => self.probe,
        }
    }

    /// A name that the run gives to a series, a part of the data or a fact, in words; others as they are.
    pub(super) fn name<'a>(&self, name: &'a str) -> &'a str {
        match name {
            "train" => self.train_series,
            "training" => self.training,
            "validation" => self.validation,
            "test" => self.test,
            "step" => self.step,
            "learning rate" => self.learning_rate,
            "gradient norm" => self.gradient_norm,
            "Instruction set" => self.instruction_set,
            "Processor" => self.processor,
            "System" => self.system,
            "Saved model, SHA-256" => self.saved_model,
            other => other,
        }
    }

    /// A remark on the data, in words.
    pub(super) fn data_note(&self, note: &DataNote) -> String {
        match note {
            DataNote::SameSource { parts } => {
                let names: Vec<&str> = parts.iter().map(|part| self.name(part)).collect();
                fill(self.same_source, &[("parts", &names.join(self.and))])
            }
            DataNote::MissingClasses { first, count } => match count {
                1 => fill(self.missing_class, &[("class", first)]),
                _ => fill(self.missing_classes, &[("class", first), ("more", &(count - 1).to_string())]),
            },
            DataNote::Uneven { most, largest, least, smallest } => {
                let (largest, smallest) = (largest.to_string(), smallest.to_string());
                let values = [("most", &**most), ("largest", &largest), ("least", least), ("smallest", &smallest)];
                fill(self.uneven, &values)
            }
        }
    }

    /// A warning, in words.
    pub(super) fn warning(&self, warning: &Warning) -> String {
        match warning {
            Warning::ValidationIsTest => self.validation_is_test.to_owned(),
            Warning::TrainIsTest => self.train_is_test.to_owned(),
            Warning::StopsWithoutValidation => self.stops_without_validation.to_owned(),
            Warning::TestUsedBefore { runs } => {
                let names = runs.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let more = if runs.len() > 5 { ", …" } else { "" };
                let count = runs.len().to_string();
                fill(self.test_used_before, &[("count", &count), ("runs", &format!("{names}{more}"))])
            }
        }
    }
}

crate::texts! {
    /// The words of the page.
    pub(super) struct Texts {
        subject: "{model} was fine-tuned on {data}: {method}.", "{model} 在 {data} 上微调：{method}。";
        before: "Before", "微调前";
        after: "After", "微调后";
        most_frequent: "Most frequent class", "最常见类别";
        probe: "Probe of the frozen features", "冻结特征的线性探针";
        /// Why the untouched model is not what the gain is measured by.
        new_head:
            "The head is new, so the untouched model says nothing about these classes: the gain is measured against \
             the better of always giving the most frequent class and a probe, logistic regression on what the \
             untouched model gives to its head.",
            "分类头是新的，未微调的模型对这些类别一无所知：因此与两个基线中较好的一个比较：总是回答最常见的类别；\
             线性探针，即在未微调模型输入分类头的特征上做逻辑回归。";
        on_test: "{metric} on {items} test items that training never saw:",
            "{items} 个训练从未见过的测试样本上的 {metric}：";
        on_validation:
            "{metric} on {items} validation items. They may have decided which weights were kept, so take the gain \
             with care; a test part would give an untouched measure.",
            "{items} 个验证样本上的 {metric}。保留哪个权重可能由它们决定，因此请谨慎看待提升；\
             使用测试集才能得到未受影响的度量。";
        /// A place in a chart that is marked.
        best: "best", "最佳";
        interval: "95\u{202F}% interval {low} to {high}", "95\u{202F}% 区间 {low} 至 {high}";
        better: "The gain is real.", "提升是真实的。";
        worse: "The model got worse.", "模型变差了。";
        unclear: "This is not enough to tell a gain from chance.", "这些样本不足以区分提升与偶然。";
        mcnemar:
            "{gained} items are right only after training, {lost} only before; if both were equally good, a split \
             at least this uneven would come about by chance with probability p\u{202F}{p} (McNemar’s exact test).",
            "{gained} 个样本仅在微调后正确，{lost} 个仅在微调前正确；若两者同样好，偶然出现至少如此悬殊的概率为 \
             p\u{202F}{p}（McNemar 精确检验）。";
        mcnemar_baseline:
            "{gained} items only the fine-tuned model gets right, {lost} only the baseline; if both were equally \
             good, a split at least this uneven would come about by chance with probability p\u{202F}{p} (McNemar’s \
             exact test).",
            "{gained} 个样本仅微调后的模型答对，{lost} 个仅基线答对；若两者同样好，偶然出现至少如此悬殊的概率为 \
             p\u{202F}{p}（McNemar 精确检验）。";
        permutation:
            "If both were equally good, a difference at least this large would come about by chance with \
             probability p\u{202F}{p} (paired permutation test).",
            "若两者同样好，偶然出现至少如此大的差异的概率为 p\u{202F}{p}（配对置换检验）。";
        difference: "On the same items the difference is {difference} (95\u{202F}% interval {low} to {high}).",
            "在相同样本上差异为 {difference}（95\u{202F}% 区间 {low} 至 {high}）。";
        /// A difference of shares.
        points: "{value} percentage points", "{value} 个百分点";
        temperature:
            "Probabilities are at a temperature of {value}, fitted on the validation part and saved with the model.",
            "概率经温度 {value} 校准；温度在验证集上拟合，并随模型保存。";
        threshold: "The answer is yes above a probability of {value}, saved with the model.",
            "概率高于 {value} 时回答“是”；该阈值随模型保存。";
        warnings: "Take care", "请注意";
        validation_is_test:
            "The validation part is the test part: the weights were chosen by the very items that the figures are \
             of, so the figures are too good.",
            "验证集就是测试集：权重正是按得出这些数字的样本挑选的，因此数字偏乐观。";
        train_is_test:
            "The test part is the training part: the figures say how well the items were learned by heart, not how \
             good the model is.",
            "测试集就是训练集：这些数字只说明样本被记住的程度，而不是模型的好坏。";
        stops_without_validation:
            "There is no validation part, so training stops by the training loss, which goes on falling when the \
             model overfits.",
            "没有验证集，因此训练按训练损失提前停止，而过拟合时训练损失仍会继续下降。";
        test_used_before:
            "Earlier runs in the same folder ({count}: {runs}) were measured on the same test items. Whoever chooses \
             among them by these figures makes the best look better than it is: choose by the validation part.",
            "同一文件夹中较早的运行（{count} 次：{runs}）已在相同的测试样本上测量过。按这些数字在它们之间挑选，\
             会使最好的一次显得比实际更好：请按验证集挑选。";
        also: "On the other data", "在另一数据集上";
        also_note: "Measured before and after on {items} items of `eval.also`: what was forgotten, or gained besides.",
            "在 `eval.also` 的 {items} 个样本上微调前后的测量：遗忘了什么，或额外得到了什么。";
        results: "Results", "结果";
        results_note: "On the same items, with 95\u{202F}% intervals.", "在相同样本上，附 95\u{202F}% 区间。";
        result_name: "Model", "模型";
        value: "Value", "值";
        interval_column: "95\u{202F}% interval", "95\u{202F}% 区间";
        items: "Items", "样本数";
        curves: "Learning curves", "学习曲线";
        series_summary: "{name}: from {first} to {last}, lowest {lowest}, highest {highest}.",
            "{name}：从 {first} 到 {last}，最低 {lowest}，最高 {highest}。";
        chart_empty: "No values.", "没有数值。";
        values_as_table: "Values", "数值";
        train_series: "train", "训练";
        step: "step", "步";
        learning_rate: "learning rate", "学习率";
        gradient_norm: "gradient norm", "梯度范数";
        reliability: "Are probabilities right?", "概率可信吗？";
        reliability_note:
            "Answers by their probability: above the dashed line they are right more often than the network says, \
             below it less often. Larger dots are more answers. Expected calibration error {error}.",
            "按概率分组的回答：虚线之上表示实际正确率高于网络所说，之下则低于。点越大，回答越多。期望校准误差 \
             {error}。";
        confidence: "probability of the answer", "回答的概率";
        share_right: "share that is right", "正确的比例";
        answers: "Answers", "回答数";
        confusion: "Confusion matrix", "混淆矩阵";
        confusion_note:
            "Items by true class (rows) and predicted class (columns). Blue is right, orange is wrong; the stronger \
             the colour, the larger the share of the row.",
            "样本按真实类别（行）与预测类别（列）统计。蓝色为正确，橙色为错误；颜色越深，占该行的比例越大。";
        confusion_corner: "True class", "真实类别";
        worst_confusions: "Most frequent confusions", "最常见的混淆";
        worst_confusions_note: "The {shown} most frequent among {classes} classes.",
            "{classes} 个类别中最常见的 {shown} 种。";
        no_confusions: "No item was taken for another class.", "没有样本被误认为其他类别。";
        truth: "True class", "真实类别";
        answer: "Predicted", "预测";
        share_of_class: "Share of the true class", "占真实类别的比例";
        classes: "Class by class", "各类别";
        weakest_classes_note: "The {shown} classes with the lowest F1 of {classes}.",
            "{classes} 个类别中 F1 最低的 {shown} 个。";
        class: "Class", "类别";
        precision: "Precision", "精确率";
        recall: "Recall", "召回率";
        f1: "F1", "F1";
        mistakes: "Most confident mistakes", "最自信的错误";
        hardest: "Hardest items", "最难的样本";
        hardest_note: "Those of the largest loss: the network gave least to what is true.",
            "损失最大的样本：网络给真实答案的概率最低。";
        /// The same for items that have no class.
        errors: "Largest errors", "最大的误差";
        true_values: "True", "真实";
        mistakes_note: "Worth a look: some may be wrong labels.", "值得查看：其中一些可能是标注错误。";
        place: "Item", "样本";
        probability: "Probability", "概率";
        truth_probability: "Probability of the truth", "真实类别的概率";
        data: "Data", "数据";
        /// Between the names of parts.
        and: " and ", "与";
        same_source:
            "The items for {parts} were drawn from the same source as those for training, of each class the same \
             share; no item is in two parts.",
            "用于{parts}的样本与训练样本取自同一来源，各类别比例相同；没有样本同属两部分。";
        missing_class: "No training item has the class “{class}”, so it cannot be learned.",
            "没有训练样本属于类别“{class}”，因此无法学会它。";
        missing_classes: "No training item has the class “{class}” (and {more} more), so it cannot be learned.",
            "没有训练样本属于类别“{class}”（另有 {more} 个类别也是），因此无法学会。";
        uneven:
            "The classes are uneven: “{most}” has {largest} training items, “{least}” has {smallest}. Accuracy \
             hides how well rare classes are known; see precision and recall, and consider `class-weights = \
             \"balanced\"`.",
            "类别不均衡：“{most}”有 {largest} 个训练样本，“{least}”有 {smallest} 个。准确率掩盖了稀有类别的好坏；\
             请看精确率与召回率，并考虑 `class-weights = \"balanced\"`。";
        findings: "What the checks found", "数据检查的发现";
        all_items: "All", "全部";
        training: "training", "训练";
        validation: "validation", "验证";
        test: "test", "测试";
        first_classes_note: "The first {shown} of {classes} classes.", "{classes} 个类别中的前 {shown} 个。";
        skipped: "{count} left out", "排除了 {count} 个";
        skipped_more: "… and {count} more.", "……以及另外 {count} 个。";
        reason: "Reason", "原因";
        cost: "Cost", "代价";
        wall: "Time in all", "总时间";
        epoch: "Time per epoch", "每轮时间";
        rate: "Speed", "速度";
        per_sec: "{count} examples/s", "{count} 样本/秒";
        peak: "Peak memory", "内存峰值";
        planned: "Planned memory", "计划内存";
        energy: "Energy of the processor", "处理器能耗";
        weights: "Trained weights", "训练的权重";
        weights_of: "{trainable} of {total}", "{trainable} / {total}";
        flops: "Work per step", "每步计算量";
        features: "Frozen layers", "冻结层";
        features_of: "computed for {computed} examples, read for {read}", "计算 {computed} 个样本，读取 {read} 个";
        dropouts_left_out: "Dropouts left out in frozen layers", "冻结层中省略的 dropout";
        recipe: "Recipe", "配方";
        recipe_note: "Every setting, defaults filled in.", "全部设置，已填入默认值。";
        reproduction: "To do it again", "如何重现";
        reproduction_note:
            "On the same kind of processor, the same inputs, version and seed give the same result to the last bit.",
            "在同类处理器上，相同的输入、版本与种子给出逐位相同的结果。";
        contest_lead: "Compared on the same {items} items.", "在相同的 {items} 个样本上比较。";
        contest_pairs: "Pair by pair", "两两比较";
        contest_note:
            "Accuracy by McNemar’s exact test, all else by paired permutation. The p values of all tests together \
             are corrected by Holm’s method.",
            "准确率用 McNemar 精确检验，其余用配对置换检验。全部检验的 p 值一起按 Holm 方法校正。";
        contest_pair: "{second} against {first}", "{second} 对 {first}";
        contest_difference: "Difference", "差异";
        contest_corrected: "p, corrected", "校正后 p";
        contest_real: "real", "真实";
        contest_chance: "may be chance", "可能出于偶然";
        contest_right_only: "{gained} items right only by {second}, {lost} only by {first}.",
            "{gained} 个样本仅 {second} 答对，{lost} 个仅 {first} 答对。";
        contest_partings: "Where they part", "回答不一致的样本";
        contest_partings_note: "Items that some get right and others wrong, the surest first.",
            "有的模型答对、有的答错的样本，最确定的在前。";
        version: "retune", "retune";
        seed: "Seed", "种子";
        threads: "Threads", "线程";
        command: "Command", "命令";
        instruction_set: "Instruction set", "指令集";
        processor: "Processor", "处理器";
        system: "System", "系统";
        saved_model: "Saved model, SHA-256", "保存的模型，SHA-256";
        input: "Input", "输入";
        sha256: "SHA-256", "SHA-256";
    }
}
