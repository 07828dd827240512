//! Python literals, as far as the headers of `.npy` files use them.

use crate::error::Problem;

/// A Python value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Bool(bool),
    Int(i64),
    /// A tuple or a list.
    Sequence(Vec<Literal>),
    Dict(Vec<(String, Literal)>),
}

/// How deeply values may be nested; headers need two levels, records four.
const MAX_DEPTH: usize = 16;

/// Parses `text`, which is one literal between white space.
pub(crate) fn parse(text: &str) -> Result<Literal, Problem> {
    let mut parser = Parser { text, rest: text };
    let literal = parser.value(0)?;
    parser.skip_space();
    if parser.rest.is_empty() { Ok(literal) } else { Err(parser.expected("the end of the header")) }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Parser<'_> {
    fn expected(&self, what: &str) -> Problem {
        let found: String = self.rest.chars().take(12).collect();
        let offset = self.text.len() - self.rest.len();
        Problem::mismatch(what, format_args!("`{}` at byte {offset} of the header", found.escape_debug()))
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t', '\r']);
    }

    /// Whether `token` comes next; takes it if so.
    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Literal, Problem> {
        if depth > MAX_DEPTH {
            return Err(self.expected("a value nested less deeply"));
        }
        if self.take("True") {
            return Ok(Literal::Bool(true));
        }
        if self.take("False") {
            return Ok(Literal::Bool(false));
        }
        if self.take("(") {
            return self.sequence(")", depth);
        }
        if self.take("[") {
            return self.sequence("]", depth);
        }
        if self.take("{") {
            return self.dict(depth);
        }
        if self.rest.starts_with(['\'', '"']) {
            return self.string().map(Literal::Text);
        }
        self.integer()
    }

    fn sequence(&mut self, end: &str, depth: usize) -> Result<Literal, Problem> {
        let mut values = Vec::new();
        while !self.take(end) {
            values.push(self.value(depth + 1)?);
            if !self.take(",") && !self.rest.trim_start().starts_with(end) {
                return Err(self.expected("`,` or the end of a sequence"));
            }
        }
        Ok(Literal::Sequence(values))
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, Problem> {
        let mut entries = Vec::new();
        while !self.take("}") {
            self.skip_space();
            let key = self.string()?;
            if !self.take(":") {
                return Err(self.expected("`:`"));
            }
            entries.push((key, self.value(depth + 1)?));
            if !self.take(",") && !self.rest.trim_start().starts_with('}') {
                return Err(self.expected("`,` or `}`"));
            }
        }
        Ok(Literal::Dict(entries))
    }

    /// A string without escapes, which headers never contain.
    fn string(&mut self) -> Result<String, Problem> {
        let quote = self.rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let quote = quote.ok_or_else(|| self.expected("a string"))?;
        let (text, rest) = self.rest[1..].split_once(quote).ok_or_else(|| self.expected("a closed string"))?;
        if text.contains('\\') {
            return Err(self.expected("a string without escapes"));
        }
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn integer(&mut self) -> Result<Literal, Problem> {
        let signed = usize::from(self.rest.starts_with('-'));
        let digits = self.rest[signed..].bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(signed + digits);
        let number = number.parse().map_err(|_| self.expected("a Python literal"))?;
        // Python 2 wrote long integers with this suffix.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(Literal::Int(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_headers() {
        let header = parse("{'descr': '<f4', 'fortran_order': False, \"shape\": (2, 3L,), }  \n").unwrap();
        let shape = Literal::Sequence(vec![Literal::Int(2), Literal::Int(3)]);
        let entries =
            [("descr", Literal::Text("<f4".into())), ("fortran_order", Literal::Bool(false)), ("shape", shape)];
        assert_eq!(header, Literal::Dict(entries.map(|(key, value)| (key.to_owned(), value)).to_vec()));
        assert_eq!(parse("()").unwrap(), Literal::Sequence(vec![]));
        assert_eq!(parse("-7").unwrap(), Literal::Int(-7));
    }

    #[test]
    fn refuses_everything_else() {
        let deep = "(".repeat(10_000);
        for text in
            ["", "{", "{'a'", "{'a': }", "(1 2)", "(,)", "'a", "'\\n'", "99999999999999999999", "f()", "1 1", &deep]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
