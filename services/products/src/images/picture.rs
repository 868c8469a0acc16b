//! What a product's document knows of its image.

use contracts::products::ProductImage;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many images that were replaced are remembered.
const REMEMBERED: usize = 8;

/// An image that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The upload, which names the object.
    #[serde(with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// The epoch that it began in.
    pub epoch: i64,
    /// Its media type.
    pub content_type: String,
    /// Its size in bytes.
    pub size: i64,
    /// The SHA-256 of its bytes.
    pub etag: String,
}

impl Image {
    /// Whether it is the same, uploaded another time.
    pub fn equals(&self, other: &Self) -> bool {
        self.content_type == other.content_type && self.size == other.size && self.etag == other.etag
    }

    /// What everybody may know of it.
    pub fn shown(&self) -> ProductImage {
        let Self { content_type, size, etag, .. } = self.clone();
        ProductImage { content_type, size: size.unsigned_abs(), etag }
    }
}

/// A product's image, and what keeps others from taking its place wrongly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The image, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The last images that were shown before. Who shows an image and loses the answer, and finds another one there, knows by
    /// this that it was shown, and does not show it again: it has been removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    /// Only uploads that began in this epoch may become the image: the sweep begins another one before it removes what is left of
    /// an upload.
    #[serde(default)]
    pub epoch: i64,
}

impl Picture {
    /// Whether nothing is known.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this upload is the image.
    pub fn shows(&self, id: Uuid) -> bool {
        self.image.as_ref().is_some_and(|image| image.id == id)
    }

    /// Whether this upload was the image before.
    pub fn has_shown(&self, id: Uuid) -> bool {
        let id = id.to_string();
        self.before.contains(&id)
    }

    /// With another image, or none.
    #[must_use]
    pub fn with(&self, image: Option<Image>) -> Self {
        let before = self.before.iter().cloned().chain(self.image.as_ref().map(|image| image.id.to_string()));
        let before: Vec<_> = before.collect();
        let forgotten = before.len().saturating_sub(REMEMBERED);
        Self { image, before: before[forgotten..].to_vec(), epoch: self.epoch }
    }

    /// In another epoch: what was begun before is late.
    #[must_use]
    pub fn in_another_epoch(&self) -> Self {
        Self { epoch: self.epoch + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: u128) -> Image {
        Image { id: Uuid::from_u128(id), epoch: 0, content_type: "image/png".into(), size: 9, etag: "a".into() }
    }

    #[test]
    fn what_was_shown_is_remembered_for_a_while() {
        let mut picture = Picture::default();
        for id in 1..=12 {
            picture = picture.with(Some(image(id)));
        }
        assert!(picture.shows(Uuid::from_u128(12)) && !picture.has_shown(Uuid::from_u128(12)));
        let remembered: Vec<_> = (1..=12).filter(|id| picture.has_shown(Uuid::from_u128(*id))).collect();
        assert_eq!(remembered, (4..=11).collect::<Vec<_>>());
        let without = picture.with(None);
        assert!(without.has_shown(Uuid::from_u128(12)) && !without.shows(Uuid::from_u128(12)));
    }
}
