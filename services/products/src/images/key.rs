//! Names of objects.

use object_store::path::Path;
use uuid::Uuid;

/// Names an object: the product, which of its epochs the upload began in, and the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) product_id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) id: Uuid,
}

impl Key {
    /// What all names begin with.
    pub(crate) const PREFIX: &'static str = "products";

    pub(crate) fn path(self) -> Path {
        let Self { product_id, epoch, id } = self;
        Path::from(format!("{}/{product_id}/{epoch}-{id}", Self::PREFIX))
    }

    /// The key with this name; `None` if the name is none of ours.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let (product_id, object) = path.as_ref().strip_prefix(Self::PREFIX)?.strip_prefix('/')?.split_once('/')?;
        let (epoch, id) = object.split_once('-')?;
        let key = Self { product_id: product_id.parse().ok()?, epoch: epoch.parse().ok()?, id: id.parse().ok()? };
        (key.path() == *path).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_name_and_other_names_are_left_alone() {
        let key = Key { product_id: Uuid::now_v7(), epoch: 7, id: Uuid::now_v7() };
        assert_eq!(Key::of(&key.path()), Some(key));
        let Key { product_id, id, .. } = key;
        for other in [
            format!("products/{product_id}/{id}"),
            format!("products/{product_id}/7-{id}/more"),
            format!("products/{product_id}/07-{id}"),
            format!("others/{product_id}/7-{id}"),
            format!("products/{}/7-{id}", product_id.simple()),
            "products".to_owned(),
        ] {
            assert_eq!(Key::of(&Path::from(other.as_str())), None, "{other}");
        }
    }
}
