//! What may a field be compared with in a plan, and how is a constant told from what only looks like one?

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::value::Literal;

/// A literal that a plan owns.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Constant {
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An unsigned integer beyond `i64`.
    Large(u64),
    /// A double.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
}

impl Constant {
    /// As a predicate compares with it.
    pub fn literal(&self) -> Literal<'_> {
        match self {
            Self::Bool(value) => Literal::Bool(*value),
            Self::Int(value) => Literal::Int(*value),
            Self::Large(value) => Literal::Large(*value),
            Self::Float(value) => Literal::Float(*value),
            Self::Text(value) => Literal::Text(value),
        }
    }
}

impl From<Literal<'static>> for Constant {
    fn from(literal: Literal<'static>) -> Self {
        match literal {
            Literal::Bool(value) => Self::Bool(value),
            Literal::Int(value) => Self::Int(value),
            Literal::Large(value) => Self::Large(value),
            Literal::Float(value) => Self::Float(value),
            Literal::Text(value) => Self::Text(value.into()),
        }
    }
}

/// As it is written in code.
impl fmt::Display for Constant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.literal().fmt(out)
    }
}

impl Serialize for Constant {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Int(value) => to.serialize_i64(*value),
            Self::Large(value) => to.serialize_u64(*value),
            // JSON has no number for these.
            Self::Float(value) if !value.is_finite() => to.collect_str(value),
            Self::Float(value) => to.serialize_f64(*value),
            Self::Text(value) => to.serialize_str(value),
        }
    }
}

/// What a path in a predicate names, which a macro cannot know: a constant of a type that fields are compared with, or not.
///
/// `(&Const(&PATH)).__constant()` is answered by [`KnownConst`] where the type is one of ours, and by [`OtherConst`] for every
/// other; a type that brings its own comparison may mean something else by it.
pub struct Const<T>(pub T);

/// A constant that is understood.
pub trait KnownConst {
    /// The constant.
    fn __constant(&self) -> Option<Constant>;
    /// The constants of an array.
    fn __constants(&self) -> Option<Vec<Constant>>;
}

/// A constant that is not.
pub trait OtherConst {
    /// Nothing.
    fn __constant(&self) -> Option<Constant> {
        None
    }
    /// Nothing.
    fn __constants(&self) -> Option<Vec<Constant>> {
        None
    }
}

impl<T> OtherConst for &Const<T> {}

/// The types that this crate itself compares fields with.
pub trait Ours {
    /// The constant.
    fn one(&self) -> Option<Constant>;
    /// The constants of an array.
    fn several(&self) -> Option<Vec<Constant>>;
}

impl<T: Ours> KnownConst for Const<&T> {
    fn __constant(&self) -> Option<Constant> {
        self.0.one()
    }

    fn __constants(&self) -> Option<Vec<Constant>> {
        self.0.several()
    }
}

macro_rules! ours {
    ($($single:ty),*) => {$(
        impl Ours for $single {
            fn one(&self) -> Option<Constant> {
                Some(Literal::from(*self).into())
            }

            fn several(&self) -> Option<Vec<Constant>> {
                None
            }
        }
    )*};
}

ours!(bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, &'static str);

impl<T: Ours, const N: usize> Ours for [T; N] {
    fn one(&self) -> Option<Constant> {
        None
    }

    fn several(&self) -> Option<Vec<Constant>> {
        self.iter().map(T::one).collect()
    }
}
