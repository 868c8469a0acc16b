//! Money.

use contracts::Money;

use super::Malformed;
use crate::v1;

impl From<Money> for v1::Money {
    fn from(money: Money) -> Self {
        Self { amount: money.amount, currency: money.currency.into() }
    }
}

impl TryFrom<v1::Money> for Money {
    type Error = Malformed;

    fn try_from(money: v1::Money) -> Result<Self, Malformed> {
        let problem = "is not three upper-case letters";
        let currency = money.currency.parse().map_err(|_| Malformed { field: "currency", problem })?;
        Ok(Self { amount: money.amount, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_survives_the_way_and_a_wrong_currency_is_named() {
        let money = Money::new(-1999, "EUR".parse().unwrap());
        assert_eq!(Money::try_from(v1::Money::from(money)), Ok(money));
        let wrong = v1::Money { amount: 1, currency: "euro".to_owned() };
        assert_eq!(Money::try_from(wrong).unwrap_err().to_string(), "`currency` is not three upper-case letters");
    }
}
