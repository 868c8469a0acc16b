//! What there is now, and what to try next.

use super::Shop;
use crate::args::AccessArgs;
use crate::out;

pub(super) fn tell(shop: &Shop, args: &AccessArgs) {
    let AccessArgs { places, email, .. } = args;
    let url = places.public_url();
    let (owners, products) = (count(shop.owners.len(), "owner"), count(shop.products.len(), "product"));
    out::line(&format!("The shop has {owners} and {products}."));
    let Some(product) = shop.products.first() else { return };
    let text = format!(
        r#"
Try next:

  # what there is to buy
  curl '{url}/api/products?limit=5'

  # log in, with your own password
  TOKEN=$(curl -s {url}/auth/login -H 'Content-Type: application/json' \
    -d '{{"email":"{email}","password":"..."}}' | jq -r .access_token)

  # order two of the first product
  curl {url}/api/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{{"items":[{{"product_id":"{product}","quantity":2}}]}}'

  # see it confirmed
  curl {url}/api/orders -H "Authorization: Bearer $TOKEN""#
    );
    for line in text.lines() {
        out::line(line);
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
