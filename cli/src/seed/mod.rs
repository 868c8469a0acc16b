//! `warren seed`: fills a shop through the public API.

mod catalogue;
mod told;
mod words;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{self, Access, Unknown};
use crate::api::Http;
use crate::args::SeedArgs;
use crate::failure::Failure;
use crate::out;
use crate::progress;
use catalogue::Catalogue;

/// How many requests are under way at the same time.
const AT_ONCE: usize = 8;

/// What there is now.
#[derive(Debug, Serialize)]
struct Shop {
    owners: Vec<Uuid>,
    products: Vec<Uuid>,
}

#[derive(Deserialize)]
struct Owner {
    owner_id: Uuid,
}

#[derive(Deserialize)]
struct Product {
    product_id: Uuid,
}

pub(crate) async fn run(args: SeedArgs, json: bool) -> Result<(), Failure> {
    let http = Http::new()?;
    let access = Access::begin(http.clone(), &args.access, Unknown::Register).await?;
    let owners_url = access::things(&http, &args.access, "owners").await?;
    let products_url = access::things(&http, &args.access, "products").await?;
    let catalogue = Catalogue::new(args.seed);

    let bar = progress::bar("owners", args.owners.into());
    let owners = stream::iter(0..args.owners).map(|number| {
        let (access, url, owner) = (&access, &owners_url, catalogue.owner(number));
        let key = format!("warren-seed-{}-owner-{number}", args.seed);
        async move { access.post_once::<Owner>(url, &key, &owner).await }
    });
    let owners = owners.buffered(AT_ONCE).inspect_ok(|_| bar.inc(1)).map_ok(|owner| owner.owner_id);
    let owners: Vec<Uuid> = owners.try_collect().await?;
    bar.finish_and_clear();

    let bar = progress::bar("products", args.products.into());
    let products = stream::iter(0..args.products).map(|number| {
        let owner = catalogue.owner_of(number, args.owners);
        let product = catalogue.product(number, owners[owner as usize]);
        // Of another number of owners this product may have another one: then it is another product.
        let key = format!("warren-seed-{}-product-{number}-of-{}", args.seed, product.owner_id);
        let (access, url) = (&access, &products_url);
        async move { access.post_once::<Product>(url, &key, &product).await }
    });
    let products = products.buffered(AT_ONCE).inspect_ok(|_| bar.inc(1)).map_ok(|product| product.product_id);
    let products: Vec<Uuid> = products.try_collect().await?;
    bar.finish_and_clear();

    let shop = Shop { owners, products };
    if json {
        out::json(&serde_json::json!(shop));
    } else {
        told::tell(&shop, &args.access);
    }
    Ok(())
}
