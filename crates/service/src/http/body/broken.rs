//! Why a body could not be read.

use std::error::Error;
use std::{fmt, io};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    TooLarge,
    TooSlow,
    Corrupt,
    UnknownEncoding,
}

impl Broken {
    /// Finds the reason through the layers that wrapped the error.
    pub(super) fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut error = Some(error);
        while let Some(layer) = error {
            if let Some(broken) = layer.downcast_ref::<Self>() {
                return Some(*broken);
            }
            // An I/O error's source is that of the error inside it, which would be passed over.
            error = match layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inside) => Some(inside),
                None => layer.source(),
            };
        }
        None
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is too large",
            Self::TooSlow => "the body arrives too slowly",
            Self::Corrupt => "the body cannot be decompressed",
            Self::UnknownEncoding => "the body is compressed in an unknown way",
        })
    }
}

impl Error for Broken {}
