//! What people type, and what they mean by it.

use contracts::products::ProductState;
use serde_json::{Value, json};
use testkit::{TestSearch, eventually};
use uuid::Uuid;

use super::searching::{product, product_created, product_updated, refresh, servers, user_created};
use super::support::Site;

/// Names and addresses; an é of one character and one of two, letters that are not Latin, and what looks like HTML.
const USERS: [(&str, &str); 24] = [
    ("Ada Lovelace", "ada.lovelace@example.org"),
    ("Adam Lovelock", "adam@example.org"),
    ("Ada", "countess@example.net"),
    ("Adalbert Stifter", "adalbert@example.org"),
    ("Mary Ada Smith", "mary_smith@example.com"),
    ("Zoë Müller", "zoe-mueller@example.de"),
    ("José García", "jose@example.es"),
    ("Łukasz Żak", "lukasz@example.pl"),
    ("Renée O’Connor", "renee@example.ie"),
    ("Sean O'Brien", "sean@example.ie"),
    ("Grace Hopper", "grace.hopper@navy.example"),
    ("Alexander Grothendieck", "alex@ihes.example"),
    ("Alexandra David-Néel", "alexandra@example.fr"),
    ("Alan Turing", "turing@bletchley.example"),
    ("Søren Kierkegaard", "soren@example.dk"),
    ("Jürgen Groß", "juergen@example.at"),
    ("Nguyễn Văn An", "an@example.vn"),
    ("李 小龙", "bruce@example.hk"),
    ("Мария Кюри", "marie@example.ru"),
    ("🦀 Ferris", "ferris@rust.example"),
    ("<b>Bobby</b> & \"Tables\"", "bobby@example.org"),
    ("E\u{301}mile Zola", "emile@example.fr"),
    ("Katherine Johnson", "katherine@nasa.example"),
    ("Catherine Jonson", "catherine@example.org"),
];

const PRODUCTS: [(&str, &str); 8] = [
    ("Teapot", "Holds a litre, pours without dripping."),
    ("Tea cosy", "Keeps a teapot warm."),
    ("Tea, green", "Sencha from Uji, 100 g."),
    ("Crème brûlée torch", "Burns sugar. Not for children."),
    ("Café chair", "Beech, bent by steam."),
    ("Porcelain teapot", "Thin, white, <i>fragile</i>."),
    ("Toaster 2000", "Two slices at once."),
    ("Kettle", "Boils a litre for the teapot in three minutes."),
];

/// A site with all of these, and no more, to be found.
async fn filled() -> (Site, TestSearch) {
    let (servers, search) = servers().await;
    let site = servers.start(&["user_search", "product_search"]).await;
    site.publish(USERS.iter().map(|(name, email)| user_created(name, email))).await;
    site.publish(PRODUCTS.iter().map(|(name, description)| {
        let description = (*description).to_owned();
        product_created(ProductState { description, ..product(Uuid::now_v7(), name, 1) })
    }))
    .await;
    site.reports(USERS.len()).await;
    site.holds("product_search", 0).await;
    refresh(&search).await;
    (site, search)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_find_what_they_mean_in_the_order_that_they_expect() {
    let (site, _search) = filled().await;
    let adas: &[&str] = &["Ada", "Ada Lovelace", "Mary Ada Smith", "Adam Lovelock", "Adalbert Stifter"];
    let users: [(&str, &[&str]); 46] = [
        // The very name comes before those that hold it, and these before those that begin so.
        ("ada", adas),
        ("ADA", adas),
        ("ada lovelace", &["Ada Lovelace", "Adam Lovelock"]),
        ("lovelace ada", &["Ada Lovelace", "Adam Lovelock"]),
        // As one types.
        ("lov", &["Ada Lovelace", "Adam Lovelock"]),
        ("ada l", &["Ada Lovelace"]),
        ("lovelace a", &["Ada Lovelace"]),
        ("groth", &["Alexander Grothendieck"]),
        ("кюр", &["Мария Кюри"]),
        // With typing errors.
        ("lovelce", &["Ada Lovelace", "Adam Lovelock"]),
        ("aad lovelace", &["Ada Lovelace"]),
        ("turning", &["Alan Turing"]),
        ("lan turing", &["Alan Turing"]),
        ("grace hoper", &["Grace Hopper"]),
        ("kathrine johnson", &["Katherine Johnson", "Catherine Jonson"]),
        ("johnson", &["Katherine Johnson", "Catherine Jonson"]),
        ("jonson", &["Catherine Jonson", "Katherine Johnson"]),
        ("alxander grot", &["Alexander Grothendieck"]),
        ("kierkegard", &["Søren Kierkegaard"]),
        ("stfter", &["Adalbert Stifter"]),
        // With accents and without.
        ("zoe muller", &["Zoë Müller"]),
        ("Zoë Müller", &["Zoë Müller"]),
        ("jose garcia", &["José García"]),
        ("lukasz zak", &["Łukasz Żak"]),
        ("Émile", &["E\u{301}mile Zola"]),
        ("E\u{301}mile", &["E\u{301}mile Zola"]),
        ("emile", &["E\u{301}mile Zola"]),
        ("soren", &["Søren Kierkegaard"]),
        ("gross", &["Jürgen Groß"]),
        ("david neel", &["Alexandra David-Néel"]),
        ("nguyen van an", &["Nguyễn Văn An"]),
        // Apostrophes of either kind, or none.
        ("o'connor", &["Renée O’Connor"]),
        ("oconnor", &["Renée O’Connor"]),
        ("o’brien", &["Sean O'Brien"]),
        // Other letters, and none.
        ("小龙", &["李 小龙"]),
        ("мария", &["Мария Кюри"]),
        ("🦀", &["🦀 Ferris"]),
        // Addresses, whole and in parts.
        ("ada.lovelace@example.org", &["Ada Lovelace"]),
        ("ADA.LOVELACE@EXAMPLE.ORG", &["Ada Lovelace"]),
        ("lovelace@example", &["Ada Lovelace"]),
        ("bletchley", &["Alan Turing"]),
        ("mary_smith", &["Mary Ada Smith"]),
        ("navy.ex", &["Grace Hopper"]),
        // One word too many.
        ("ada king lovelace", &["Ada Lovelace", "Adam Lovelock"]),
        // Nobody.
        ("zzyzx", &[]),
        ("bold", &[]),
    ];
    let mut wrong = Vec::new();
    for (q, expected) in users {
        let found = site.names("users", q).await;
        if !found.starts_with(&expected.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
            || (expected.is_empty() && !found.is_empty())
        {
            wrong.push(format!("{q:?} found {found:?} instead of {expected:?}"));
        }
    }
    let products: [(&str, &[&str]); 8] = [
        ("teapot", &["Teapot", "Porcelain teapot", "Tea cosy", "Kettle"]),
        ("tea", &["Tea cosy", "Tea, green", "Teapot", "Porcelain teapot"]),
        ("creme brulee", &["Crème brûlée torch"]),
        ("cafe", &["Café chair"]),
        ("porcelan tepot", &["Porcelain teapot"]),
        ("toaster 20", &["Toaster 2000"]),
        ("boils litre", &["Kettle"]),
        ("hopper", &["Teapot"]),
    ];
    for (q, expected) in products {
        let found = site.names("products", q).await;
        if !found.starts_with(&expected.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()) {
            wrong.push(format!("{q:?} found {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_marked_and_safe_to_show_as_html() {
    let (site, _search) = filled().await;
    let first = async |kind, q| site.search(kind, q).await["hits"][0]["highlight"].clone();
    assert_eq!(
        first("users", "bobby tables").await["name"],
        json!(["&lt;b&gt;<em>Bobby</em>&lt;&#x2F;b&gt; &amp; &quot;<em>Tables</em>&quot;"])
    );
    assert_eq!(
        first("users", "lovelace").await,
        json!({ "name": ["Ada <em>Lovelace</em>"], "email": ["ada.<em>lovelace</em>@example.org"] })
    );
    assert_eq!(
        first("products", "fragile").await,
        json!({ "description": ["Thin, white, &lt;i&gt;<em>fragile</em>&lt;&#x2F;i&gt;."] })
    );
    // What is searched for is never put into the answer.
    let nothing = site.search("users", "<script>alert(1)</script>").await;
    assert!(!nothing.to_string().contains("script"), "{nothing}");
}

/// Fault 46: as a query language, any of these would fail, or find all.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_typed_is_syntax() {
    let (site, _search) = filled().await;
    let long = "ab ".repeat(66);
    let dots = "a.".repeat(100);
    let (words, emoji, slashes) = ("abc ".repeat(50), "🦀".repeat(200), "\\".repeat(200));
    let family = "👨‍👩‍👧‍👦".repeat(28);
    for q in [
        "*",
        "?",
        "*:*",
        "name:*",
        "_exists_:name",
        "a* OR b*",
        "NOT ada",
        "-ada +zoe",
        "/.*/",
        "/[a-z]+/",
        "~",
        "^",
        "ada~2",
        "[* TO *]",
        "name:[a TO z]",
        "{\"match_all\":{}}",
        "\"}},\"match_all\":{}",
        "'; DROP TABLE users; --",
        "$where",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "((((((((",
        "\\",
        "\"",
        "\"unclosed",
        "deleted:true",
        "zzz OR deleted:true",
        "zzz || name:ada",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "%00",
        "..",
        "../../_all",
        "users,products",
        "<em>",
        "\u{feff}",
        "\u{202e}ada",
        "a\u{300}\u{301}\u{302}",
        "😀",
        "ﷺ",
        "\u{10ffff}",
        "1e999",
        "-1",
        "null",
        "true",
        "[]",
        "0",
        "!!!",
        "…",
        &long,
        &dots,
        &words,
        &emoji,
        &slashes,
        &family,
    ] {
        let path = Site::search_path("users", &q.chars().take(200).collect::<String>(), "");
        let (status, found) = site.searched(&path).await;
        assert_eq!(status, 200, "{q:?}: {found}");
        assert!(found["total"].as_u64().is_some_and(|total| total < 16), "{q:?} is syntax: {found}");
    }
    for (q, what) in [
        ("", "empty"),
        ("   ", "empty"),
        ("\u{3000}\n", "empty"),
        ("ada\0", "a control character"),
        ("ada\tlovelace", "a control character"),
        ("\u{1b}[31m", "a control character"),
        (&"a".repeat(201), "too long"),
        (&"é".repeat(201), "too long"),
    ] {
        let (status, problem) = site.searched(&Site::search_path("users", q, "")).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("q")), "{what}: {problem}");
    }
    for (wrong, field) in [
        ("/search?q=a", "kind"),
        ("/search?kind=users", "q"),
        ("/search?q=a&kind=_all", "kind"),
        ("/search?q=a&kind=users&kind=products", "kind"),
        ("/search?q=a&kind=users&limit=0", "limit"),
        ("/search?q=a&kind=users&limit=101", "limit"),
        ("/search?q=a&kind=users&after=[1,2]", "after"),
        ("/search?q=a&kind=users&after=7fc0000000000000000000000000000000000000", "after"),
    ] {
        let (status, problem) = site.searched(wrong).await;
        let names = problem["errors"][0].to_string();
        assert!(status == 422 && names.contains(field), "{wrong}: {status} {problem}");
    }
    // A byte that is no UTF-8.
    assert!(site.searched("/search?q=%ff&kind=users").await.0 < 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_through_all_pages_and_sees_each_thing_once_though_others_write() {
    const PRODUCTS: usize = 230;
    let (servers, search) = servers().await;
    let site = servers.start(&["product_search"]).await;
    let ids: Vec<Uuid> = (0..PRODUCTS).map(|_| Uuid::now_v7()).collect();
    let name = |i: usize| if i.is_multiple_of(3) { "Teapot".to_owned() } else { format!("Teapot {i}") };
    site.publish(ids.iter().enumerate().map(|(i, id)| product_created(product(*id, &name(i), 1)))).await;
    eventually("all are there", async || {
        refresh(&search).await;
        (site.search("products", "teapot").await["total"] == PRODUCTS).then_some(())
    })
    .await;

    let mut seen: Vec<(f64, Uuid)> = Vec::new();
    let (mut after, mut version) = (String::new(), 2);
    loop {
        let (status, page) = site.searched(&Site::search_path("products", "teapot", &format!("&limit=7{after}"))).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["total"], PRODUCTS);
        let hits = page["hits"].as_array().unwrap();
        let hit = |hit: &Value| (hit["score"].as_f64().unwrap(), hit["id"].as_str().unwrap().parse().unwrap());
        seen.extend(hits.iter().map(hit));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
        // Each page is of another state of the index.
        site.publish(ids.iter().enumerate().step_by(5).map(|(i, id)| product_updated(product(*id, &name(i), version))))
            .await;
        version += 1;
        refresh(&search).await;
    }
    assert!(seen.is_sorted_by(|(score, id), (next, next_id)| score > next || (score == next && id < next_id)));
    let mut once: Vec<Uuid> = seen.into_iter().map(|(_, id)| id).collect();
    once.sort_unstable();
    assert_eq!(once, ids, "each is seen once");
}
