//! What may be an image, told by its first bytes.

/// The kinds of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
    Webp,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Webp];

    /// How many bytes are needed to tell.
    pub(crate) const HEAD: usize = 12;

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    /// The kind that a `Content-Type` says.
    pub(crate) fn of_type(content_type: &str) -> Option<Self> {
        let named = content_type.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|kind| named.eq_ignore_ascii_case(kind.media_type()))
    }

    /// The kind that begins like this.
    pub(crate) fn of_bytes(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if head.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_its_name_and_by_its_bytes() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_type(kind.media_type()), Some(kind));
        }
        assert_eq!(Kind::of_type("IMAGE/PNG; charset=x"), Some(Kind::Png));
        for other in ["", "image/svg+xml", "image/pngx", "image/*", "text/html"] {
            assert_eq!(Kind::of_type(other), None, "{other}");
        }
        assert_eq!(Kind::of_bytes(b"\x89PNG\r\n\x1a\n...."), Some(Kind::Png));
        assert_eq!(Kind::of_bytes(b"\xff\xd8\xff\xe0"), Some(Kind::Jpeg));
        assert_eq!(Kind::of_bytes(b"RIFF\x01\x02\x03\x04WEBP"), Some(Kind::Webp));
        for other in
            [&b""[..], b"\x89PNG", b"\xff\xd8", b"RIFF\x01\x02\x03\x04WAVE", b"RIFF", b"<svg xmlns=", b"GIF89a"]
        {
            assert_eq!(Kind::of_bytes(other), None, "{other:?}");
        }
    }
}
