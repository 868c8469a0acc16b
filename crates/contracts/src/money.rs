//! Money: a whole number of a currency's smallest unit. Nothing is rounded, and currencies are never mixed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// How many of the currency's minor units: `1999` is 19.99 EUR, and 1999 JPY, which has no smaller unit.
    #[schema(example = 1999)]
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    pub fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Both together.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.amount.checked_add(other.amount))
    }

    /// What is left after the other is taken away; below zero if that is more.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.amount.checked_sub(other.amount))
    }

    /// So many times as much.
    pub fn checked_mul(self, times: u32) -> Result<Self, MoneyError> {
        self.with(self.amount.checked_mul(i64::from(times)))
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::Currencies(self.currency, other.currency))
        }
    }

    fn with(self, amount: Option<i64>) -> Result<Self, MoneyError> {
        amount.map(|amount| Self { amount, ..self }).ok_or(MoneyError::TooMuch)
    }
}

/// Why amounts could not be computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// There is no rate between the two.
    #[error("{0} and {1} are different currencies")]
    Currencies(Currency, Currency),
    /// The result is beyond what an amount can hold.
    #[error("the amount is too large")]
    TooMuch,
}

/// A currency by its ISO 4217 code: three upper-case letters. Whether the code is assigned is not checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a code is three ASCII letters")
    }
}

/// What was given is no currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three upper-case letters, like EUR")]
pub struct InvalidCurrency;

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(code: &str) -> Result<Self, InvalidCurrency> {
        let code: [u8; 3] = code.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(InvalidCurrency) }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: String) -> Result<Self, InvalidCurrency> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, "EUR".parse().unwrap())
    }

    #[test]
    fn amounts_of_one_currency_are_computed_exactly() {
        assert_eq!(eur(1999).checked_add(eur(1)), Ok(eur(2000)));
        assert_eq!(eur(1).checked_sub(eur(3)), Ok(eur(-2)));
        assert_eq!(eur(1999).checked_mul(3), Ok(eur(5997)));
        assert_eq!(eur(1999).checked_mul(0), Ok(eur(0)));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_an_error_and_never_wraps() {
        assert_eq!(eur(i64::MAX).checked_add(eur(1)), Err(MoneyError::TooMuch));
        assert_eq!(eur(i64::MIN).checked_sub(eur(1)), Err(MoneyError::TooMuch));
        assert_eq!(eur(i64::MAX / 2).checked_mul(3), Err(MoneyError::TooMuch));
    }

    #[test]
    fn currencies_are_never_mixed() {
        let usd = Money::new(1, "USD".parse().unwrap());
        let mixed = Err(MoneyError::Currencies("EUR".parse().unwrap(), "USD".parse().unwrap()));
        assert_eq!(eur(1).checked_add(usd), mixed);
        assert_eq!(eur(1).checked_sub(usd), mixed);
    }

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for wrong in ["", "EU", "EURO", "eur", "E R", "EU1", "ÄÖ", "€"] {
            assert_eq!(wrong.parse::<Currency>(), Err(InvalidCurrency), "{wrong}");
            let json = format!(r#"{{"amount":1,"currency":"{wrong}"}}"#);
            assert!(serde_json::from_str::<Money>(&json).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::from_str::<Money>(r#"{"amount":1,"currency":"EUR"}"#).unwrap(), eur(1));
    }

    #[test]
    fn an_amount_is_a_whole_number() {
        assert!(serde_json::from_str::<Money>(r#"{"amount":1.5,"currency":"EUR"}"#).is_err());
        assert!(serde_json::from_str::<Money>(r#"{"amount":"1","currency":"EUR"}"#).is_err());
    }
}
