//! Under which licences others' code may come: permissive ones that ask for no more than their notice.
//! Others are discussed first.

const ALLOWED: [&str; 8] = [
    "Apache-2.0",
    "BSD-3-Clause",
    "BSL-1.0",
    // Of data: the authorities that TLS trusts, for images without files of their own.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Whether an SPDX expression leaves us a choice that is allowed. `/` is the old way to write `OR`. A
/// licence with an exception is not the licence, so it would have to be allowed by itself.
pub(super) fn is_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = Words(spaced.split_whitespace().peekable());
    words.any() && words.0.next().is_none()
}

struct Words<'a>(std::iter::Peekable<std::str::SplitWhitespace<'a>>);

impl Words<'_> {
    fn any(&mut self) -> bool {
        let mut allowed = self.all();
        while self.0.next_if_eq(&"OR").is_some() {
            allowed |= self.all();
        }
        allowed
    }

    fn all(&mut self) -> bool {
        let mut allowed = self.one();
        while self.0.next_if_eq(&"AND").is_some() {
            allowed &= self.one();
        }
        allowed
    }

    fn one(&mut self) -> bool {
        let Some(word) = self.0.next() else {
            return false;
        };
        if word == "(" {
            let allowed = self.any();
            return self.0.next() == Some(")") && allowed;
        }
        if self.0.next_if_eq(&"WITH").is_some() {
            self.0.next();
            return false;
        }
        ALLOWED.contains(&word)
    }
}

#[cfg(test)]
mod tests;
