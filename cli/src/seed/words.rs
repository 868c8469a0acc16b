//! What owners and products are named after.

use super::catalogue::Thing;

pub(super) const FIRST_NAMES: [&str; 24] = [
    "Ada", "Anton", "Beatriz", "Bruno", "Chiara", "Daniel", "Edith", "Emre", "Farida", "Greta", "Hugo", "Ines",
    "Jakob", "Katja", "Liam", "Malik", "Nora", "Oskar", "Paula", "Rosa", "Stefan", "Tomas", "Vera", "Yusuf",
];

pub(super) const LAST_NAMES: [&str; 24] = [
    "Albers", "Bianchi", "Cohen", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanov", "Jansen", "Kaya",
    "Lindgren", "Moreau", "Novak", "Okafor", "Pereira", "Quist", "Romero", "Sato", "Tanaka", "Urban", "Vogel", "Weber",
    "Zimmer",
];

pub(super) const STREETS: [&str; 14] = [
    "Harbour Street",
    "Mill Lane",
    "Station Road",
    "Church Square",
    "Orchard Way",
    "Canal Walk",
    "Bridge Street",
    "Market Place",
    "Linden Alley",
    "Castle Hill",
    "Garden Row",
    "Foundry Yard",
    "Weavers Court",
    "Ferry Steps",
];

pub(super) const TOWNS: [&str; 14] = [
    "1012 Amsterdam",
    "4051 Basel",
    "20095 Hamburg",
    "1100 Lisboa",
    "69001 Lyon",
    "2100 Copenhagen",
    "50122 Firenze",
    "41001 Sevilla",
    "1010 Wien",
    "11000 Praha",
    "9000 Gent",
    "31000 Toulouse",
    "5003 Bergen",
    "80331 München",
];

pub(super) const MAKINGS: [&str; 10] = [
    "Hand-finished",
    "Everyday",
    "Classic",
    "Small-batch",
    "Nordic",
    "Heritage",
    "Workshop",
    "Travel",
    "Weekend",
    "Studio",
];

const CLAY: &[&str] = &["stoneware", "porcelain", "terracotta", "bone china"];
const WOOD: &[&str] = &["oak", "walnut", "beech", "olive wood", "cherry"];
const METAL: &[&str] = &["brass", "steel", "copper", "cast iron"];
const CLOTH: &[&str] = &["linen", "cotton", "merino wool", "hemp"];
const LEATHER: &[&str] = &["leather", "waxed canvas", "felt", "cork"];
const GLASS: &[&str] = &["borosilicate glass", "recycled glass", "smoked glass"];

const fn thing(
    name: &'static str,
    materials: &'static [&'static str],
    euros: (i64, i64),
    description: &'static str,
) -> Thing {
    Thing { name, materials, description, euros }
}

pub(super) const THINGS: [Thing; 26] = [
    thing("teapot", CLAY, (28, 75), "Holds a litre and pours without dripping."),
    thing("chopping board", WOOD, (22, 68), "Thick enough not to warp, with a groove that catches the juice."),
    thing("desk lamp", METAL, (59, 189), "Turns and tilts, and lights the page and not your eyes."),
    thing("tea towel", CLOTH, (8, 19), "Dries glasses without a trace, and is softer after every wash."),
    thing("card holder", LEATHER, (25, 59), "Six cards and a few notes, flat in any pocket."),
    thing("carafe", GLASS, (19, 49), "A litre of water for the table, with a lid that is also a cup."),
    thing("mug", CLAY, (12, 29), "For a large coffee; the handle has room for three fingers."),
    thing("salad servers", WOOD, (15, 38), "A spoon and a fork that hang on the edge of the bowl."),
    thing("moka pot", METAL, (24, 62), "Three strong cups from any stove."),
    thing("apron", CLOTH, (29, 65), "Crossed straps that do not pull at the neck, and two deep pockets."),
    thing("notebook cover", LEATHER, (32, 79), "For A5, with a loop for the pen."),
    thing("storage jar", GLASS, (9, 27), "Closes tightly and shows what is in it."),
    thing("serving bowl", CLAY, (26, 84), "For a salad for six, or all the fruit of a week."),
    thing("coat hook", WOOD, (9, 24), "One screw, one coat, no wobble."),
    thing("frying pan", METAL, (39, 119), "Twenty-eight centimetres, for all stoves and the oven."),
    thing("blanket", CLOTH, (69, 179), "Large enough for two on a sofa."),
    thing("backpack", LEATHER, (89, 219), "Twenty litres, a sleeve for a laptop, and no logo."),
    thing("vase", GLASS, (18, 72), "For a bunch of tulips, or one branch."),
    thing("plant pot", CLAY, (11, 45), "With a saucer, for roots that like it airy."),
    thing("bedside table", WOOD, (119, 299), "A drawer, a shelf, and a round edge."),
    thing("bottle opener", METAL, (7, 22), "Heavy in the hand and light on the cap."),
    thing("cushion", CLOTH, (24, 58), "Fifty by fifty, with a cover that comes off."),
    thing("glasses case", LEATHER, (18, 46), "Stiff outside, soft inside."),
    thing("pendant lamp", GLASS, (79, 239), "A warm light over the table, on two metres of cable."),
    thing("butter dish", CLAY, (16, 39), "Keeps half a pound soft for a week."),
    thing("toy train", WOOD, (21, 54), "Three wagons with magnets, painted with plant oils."),
];
