//! What stands around the findings of a report.

crate::texts! {
    /// The words of a report.
    pub(super) struct Words {
        title: "Check of {data}", "数据检查：{data}";
        nothing: "nothing wrong was found", "没有发现问题";
        one: "1 finding, the most important first", "1 项发现";
        several: "{count} findings, the most important first", "{count} 项发现，最重要的在前";
        place: "Where", "位置";
        part: "Part", "部分";
        label: "Label", "标签";
        content: "Content", "内容";
        colon: ": ", "：";
    }
}

impl Words {
    /// How many findings there are.
    pub(super) fn count(&self, findings: usize) -> String {
        match findings {
            0 => self.nothing.to_owned(),
            1 => self.one.to_owned(),
            n => crate::language::fill(self.several, &[("count", &crate::findings::grouped(n))]),
        }
    }
}
