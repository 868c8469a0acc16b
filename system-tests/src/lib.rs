//! Whole-system journeys and faults live in `tests/`.
