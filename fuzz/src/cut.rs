//! The ways in which an input is cut before it is pushed into a parser.
//!
//! Bytes come from S3 in pieces of any size, so nothing that a parser says may depend on where a piece
//! ends. Every target compares its answers for all ways of [`OTHERS`] with those for the whole.

use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Whole,
    /// Into pieces of that many bytes.
    Every(usize),
    /// At places that the input decides, so that it fails again when it is read again.
    Anywhere,
}

/// Two blocks less one byte, so that the edges of pieces move through those of blocks.
pub(crate) const OTHERS: [Cut; 3] = [Cut::Every(1), Cut::Every(1023), Cut::Anywhere];

/// Beyond this, pieces of one byte take too long to learn anything more.
const ONE_BY_ONE_MAX: usize = 16 * 1024;

impl Cut {
    /// The input in pieces, some of them empty.
    pub(crate) fn pieces(self, input: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![input],
            Self::Every(size) => {
                let size = if input.len() > ONE_BY_ONE_MAX {
                    size.max(7)
                } else {
                    size
                };
                input.chunks(size).collect()
            }
            Self::Anywhere => anywhere(input),
        }
    }
}

fn anywhere(input: &[u8]) -> Vec<&[u8]> {
    const LONGEST: usize = 700;
    let mut random = Random::of(input);
    let mut rest = input;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.below(LONGEST).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
