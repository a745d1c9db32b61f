//! What is a plan before it is code?

use proc_macro2::TokenStream;
use quote::quote;

use super::text::Place;

/// A clause.
#[derive(Clone)]
pub(super) enum Node {
    All(Place, Vec<Self>),
    Any(Place, Vec<Self>),
    Not(Place, Box<Self>),
    Leaf(Leaf),
    Opaque { place: Place, why: String, ask: Option<u32> },
}

/// A condition that is recognised.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) place: Place,
    /// The call of `At` that makes it.
    pub(super) call: TokenStream,
    /// How many unknowns it may consult.
    pub(super) weight: usize,
    /// Whether it names a constant, which may be of a type that is none of ours.
    pub(super) names_constant: bool,
    /// How it is asked, should it be.
    pub(super) ask: Option<u32>,
    /// The number of the `let` that it was written in.
    pub(super) bound: Option<usize>,
}

impl Node {
    /// Each of these, those of members that are such a list themselves among them.
    pub(super) fn all(place: Place, members: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for member in members {
            match member {
                Self::All(_, inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::All(place, flat) }
    }

    /// One of these, those of members that are such a list themselves among them.
    pub(super) fn any(place: Place, members: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for member in members {
            match member {
                Self::Any(_, inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::Any(place, flat) }
    }

    pub(super) fn not(place: Place, node: Self) -> Self {
        match node {
            Self::Not(_, inner) => *inner,
            other => Self::Not(place, Box::new(other)),
        }
    }

    pub(super) fn truth(place: Place, value: bool) -> Self {
        if value { Self::All(place, Vec::new()) } else { Self::Any(place, Vec::new()) }
    }

    /// `if condition { then } else { otherwise }`; `negated` is the place of the condition where it must not hold.
    pub(super) fn branch(place: Place, negated: Place, condition: Self, then: Self, otherwise: Self) -> Self {
        match (then.known(), otherwise.known()) {
            (Some(true), Some(false)) => condition,
            (Some(false), Some(true)) => Self::not(negated, condition),
            (Some(true), _) => Self::any(place, [condition, otherwise]),
            (Some(false), _) => Self::all(place, [Self::not(negated, condition), otherwise]),
            (_, Some(false)) => Self::all(place, [condition, then]),
            (_, Some(true)) => Self::any(place, [Self::not(negated, condition), then]),
            (None, None) => {
                let then = Self::all(place.clone(), [condition.clone(), then]);
                let otherwise = Self::all(place.clone(), [Self::not(negated, condition), otherwise]);
                Self::any(place, [then, otherwise])
            }
        }
    }

    /// What it always is.
    pub(super) fn known(&self) -> Option<bool> {
        match self {
            Self::All(_, members) if members.is_empty() => Some(true),
            Self::Any(_, members) if members.is_empty() => Some(false),
            _ => None,
        }
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Self::All(_, members) | Self::Any(_, members) => 1 + members.iter().map(Self::size).sum::<usize>(),
            Self::Not(_, inner) => 1 + inner.size(),
            Self::Leaf(_) | Self::Opaque { .. } => 1,
        }
    }

    /// Whether all of it is recognised.
    pub(super) fn is_exact(&self) -> bool {
        match self {
            Self::All(_, members) | Self::Any(_, members) => members.iter().all(Self::is_exact),
            Self::Not(_, inner) => inner.is_exact(),
            Self::Leaf(_) => true,
            Self::Opaque { .. } => false,
        }
    }

    /// Whether to ask it may consult something that a change does not say.
    pub(super) fn consults(&self) -> bool {
        match self {
            Self::All(_, members) | Self::Any(_, members) => members.iter().any(Self::consults),
            Self::Not(_, inner) => inner.consults(),
            Self::Leaf(leaf) => leaf.weight > 0 || leaf.names_constant,
            Self::Opaque { .. } => true,
        }
    }

    /// The same clause, written differently.
    pub(super) fn at(self, place: Place) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Leaf { place, ..leaf }),
            other => other,
        }
    }

    /// Notes that it was written in the `let` of this number.
    pub(super) fn bind(&mut self, number: usize) {
        if let Self::Leaf(leaf) = self {
            leaf.bound = Some(number);
        }
    }

    /// The expression that builds it; `private` is the path of what expansions name, `asks` whether clauses can be asked.
    pub(super) fn build(&self, private: &TokenStream, asks: bool) -> TokenStream {
        let at = |place: &Place| {
            let (text, line) = (&place.text, place.line);
            quote!(#private::At(#text, #line))
        };
        let asked = |ask: &Option<u32>| ask.filter(|_| asks).map(|nth| quote!(.asked(__ask, #nth)));
        match self {
            Self::All(place, members) => {
                let (at, members) = (at(place), members.iter().map(|member| member.build(private, asks)));
                quote!(#at.all(::std::vec::Vec::from([#(#members),*])))
            }
            Self::Any(place, members) => {
                let (at, members) = (at(place), members.iter().map(|member| member.build(private, asks)));
                quote!(#at.any(::std::vec::Vec::from([#(#members),*])))
            }
            Self::Not(place, inner) => {
                let (at, inner) = (at(place), inner.build(private, asks));
                quote!(#at.not(#inner))
            }
            Self::Leaf(leaf) => {
                let (at, call, asked) = (at(&leaf.place), &leaf.call, asked(&leaf.ask));
                quote!(#at.#call #asked)
            }
            Self::Opaque { place, why, ask } => {
                let (at, asked) = (at(place), asked(ask));
                quote!(#at.opaque(#why) #asked)
            }
        }
    }
}
