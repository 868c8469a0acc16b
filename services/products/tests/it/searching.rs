//! Products by words and owner, page by page.

use serde_json::{Value, json};

use crate::support::{Ask, Products, World, id, teapot, user};

async fn found(products: &Products, query: &[(&str, &str)]) -> Vec<String> {
    let page = products.get("/v1/products").query(query).answer().await.expect(200).json();
    let list = page["products"].as_array().expect("a page has products");
    list.iter().map(|product| product["name"].as_str().expect("a product has a name").to_owned()).collect()
}

#[tokio::test]
async fn words_are_found_in_name_and_description_and_mean_themselves() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let (one, other) = (world.owners.of(&user), world.owners.of(&user));
    let all = [
        ("Blue teapot", "Holds a litre."),
        ("C++ (3rd ed.) [used]", r"costs $5^2 | \d+ {x}?"),
        ("ÄPFEL", "from the litre garden"),
        ("100% wool.*", "a-z"),
    ];
    for (name, description) in all {
        let mut product = teapot(&one, 1);
        (product["name"], product["description"]) = (json!(name), json!(description));
        products.post(&product).by(&user).answer().await.expect(201);
    }
    let mut others = teapot(&other, 1);
    others["name"] = json!("Red teapot");
    products.post(&others).by(&user).answer().await.expect(201);

    for (q, wanted) in [
        ("teapot", &["Blue teapot", "Red teapot"][..]),
        ("TEAPOT blue", &["Blue teapot"]),
        ("litre", &["Blue teapot", "ÄPFEL", "Red teapot"]),
        ("blue garden", &[]),
        (" ", &["Blue teapot", "C++ (3rd ed.) [used]", "ÄPFEL", "100% wool.*", "Red teapot"]),
        ("c++", &["C++ (3rd ed.) [used]"]),
        ("(3rd", &["C++ (3rd ed.) [used]"]),
        ("[used]", &["C++ (3rd ed.) [used]"]),
        (r"\d+", &["C++ (3rd ed.) [used]"]),
        ("$5^2 | {x}?", &["C++ (3rd ed.) [used]"]),
        (".*", &["100% wool.*"]),
        ("[a-z]", &[]),
        ("t.apot", &[]),
        ("apfel", &[]),
        ("äpfel", &["ÄPFEL"]),
        ("%", &["100% wool.*"]),
    ] {
        assert_eq!(found(&products, &[("q", q)]).await, wanted, "{q}");
    }
    let other = other.owner_id.to_string();
    assert_eq!(found(&products, &[("owner_id", &other)]).await, ["Red teapot"]);
    assert_eq!(found(&products, &[("owner_id", &other), ("q", "blue")]).await, [""; 0]);
}

#[tokio::test]
async fn pages_together_hold_each_product_once_in_the_order_of_creation() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let owner = world.owners.of(&user);
    let mut created = Vec::new();
    for stock in 0..5 {
        created.push(products.created(&user, &owner, stock).await);
    }
    products.delete(&created.remove(2)).by(&user).answer().await.expect(204);
    let mut found: Vec<Value> = Vec::new();
    let mut next = String::new();
    loop {
        let page = products.get(&format!("/v1/products?q=tea&limit=2{next}")).answer().await.expect(200).json();
        found.extend(page["products"].as_array().expect("a page has products").clone());
        let Some(after) = page["next"].as_str() else { break };
        assert_eq!(after, id(found.last().unwrap()));
        next = format!("&after={after}");
    }
    assert_eq!(found, created);
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let world = World::new().await;
    let products = world.products().await;
    let (long, many) = ("x".repeat(201), "x ".repeat(11));
    for (field, value) in [
        ("limit", "0"),
        ("limit", "1001"),
        ("after", "x"),
        ("owner_id", "x"),
        ("q", "a\u{0}b"),
        ("q", &long),
        ("q", &many),
    ] {
        let request = products.get("/v1/products").query(&[(field, value)]);
        assert_eq!(request.answer().await.expect(422).json()["errors"][0]["field"], field, "{value:?}");
    }
}
