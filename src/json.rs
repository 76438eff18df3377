//! Typed documents out of JSON. What serde derives takes a list for a struct as well, which nobody
//! writes: left out, it is a fiftieth of the program less.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Error, Map, Value};

type Result<T> = std::result::Result<T, Error>;

/// Reads a document.
///
/// # Errors
/// When it is no JSON, or not of this form.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    of(serde_json::from_slice(bytes)?)
}

/// Reads a document that has been taken apart.
///
/// # Errors
/// When it is not of this form.
pub(crate) fn of<T: DeserializeOwned>(value: Value) -> Result<T> {
    T::deserialize(Json(value))
}

struct Json(Value);

impl Json {
    fn is_not(&self, wanted: &str) -> Error {
        let is = match &self.0 {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Error::custom(format_args!("{is}, where {wanted} is expected"))
    }
}

macro_rules! numbers {
    ($($deserialize:ident)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match &self.0 {
                Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                    (Some(number), ..) => visitor.visit_u64(number),
                    (None, Some(number), _) => visitor.visit_i64(number),
                    (None, None, Some(number)) => visitor.visit_f64(number),
                    (None, None, None) => Err(self.is_not("a number")),
                },
                _ => Err(self.is_not("a number")),
            }
        })*
    };
}

macro_rules! texts {
    ($($deserialize:ident)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0 {
                Value::String(text) => visitor.visit_string(text),
                _ => Err(self.is_not("a string")),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Json {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Bool(is) => visitor.visit_bool(is),
            _ => Err(self.is_not("a boolean")),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    texts! {
        deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_identifier
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            _ => Err(self.is_not("null")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Array(all) => visitor.visit_seq(Items(all.into_iter())),
            _ => Err(self.is_not("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Object(fields) => visitor.visit_map(Fields::of(fields)),
            _ => Err(self.is_not("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Value::String(variant) => visitor.visit_enum(Variant(variant, None)),
            Value::Object(fields) if fields.len() == 1 => {
                let mut fields = fields.into_iter();
                let (variant, value) = fields.next().unwrap_or_default();
                visitor.visit_enum(Variant(variant, Some(value)))
            }
            _ => Err(self.is_not("a word, or an object with one field")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.0.next().map(|value| seed.deserialize(Json(value))).transpose()
    }
}

struct Fields(serde_json::map::IntoIter, Option<(String, Value)>);

impl Fields {
    fn of(fields: Map<String, Value>) -> Self {
        Self(fields.into_iter(), None)
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.1 = self.0.next();
        self.1.as_ref().map(|(key, _)| seed.deserialize(Key(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let (key, value) = self.1.take().unwrap_or_default();
        seed.deserialize(Json(value)).map_err(|error| Error::custom(format_args!("{key}: {error}")))
    }
}

/// A key is text, also where it is a number.
struct Key<'a>(&'a str);

macro_rules! digits {
    ($($deserialize:ident)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.0.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_str(self.0),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(self.0)
    }

    digits! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let word: StrDeserializer<'_, Error> = self.0.into_deserializer();
        visitor.visit_enum(word)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

struct Variant(String, Option<Value>);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Content;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Content)> {
        Ok((seed.deserialize(Key(&self.0))?, Content(self.1)))
    }
}

/// What a variant holds.
struct Content(Option<Value>);

impl Content {
    fn value(self) -> Result<Json> {
        self.0.map(Json).ok_or_else(|| Error::custom("a variant without what it holds"))
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(value) => Err(Json(value).is_not("a bare word")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.value()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.value()?.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Bare,
        Of(String),
        Pair(u8, i8),
        With { flag: bool, real: f64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole {
        kinds: Vec<Kind>,
        by_number: BTreeMap<u16, Option<String>>,
        nothing: Option<u32>,
        pair: (String, u64),
        any: Value,
        #[serde(default)]
        missing: bool,
    }

    #[test]
    fn what_is_written_is_read_and_what_is_of_another_form_is_not() {
        let whole = Whole {
            kinds: vec![
                Kind::Bare,
                Kind::Of("a".into()),
                Kind::Pair(1, -2),
                Kind::With { flag: true, real: 0.5 },
            ],
            by_number: [(7, Some("x".into())), (8, None)].into(),
            nothing: None,
            pair: ("p".into(), u64::MAX),
            any: serde_json::json!({"a": [1, null]}),
            missing: false,
        };
        let text = serde_json::to_vec(&whole).unwrap();
        assert_eq!(read::<Whole>(&text).unwrap(), whole);
        for (text, wanted) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("[]", "a list, where an object is expected"),
            ("{\"kinds\": 1}", "kinds: a number, where a list is expected"),
            ("{\"kinds\": [\"Other\"]}", "kinds: unknown variant `Other`"),
            ("{\"kinds\": []}", "missing field `by_number`"),
        ] {
            let error = read::<Whole>(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{text}: {error}");
        }
    }
}
