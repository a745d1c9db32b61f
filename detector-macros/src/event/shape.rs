//! Do `detect` and `jobs` look as they must, as far as tokens tell? Finer questions are the compiler's.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{FnArg, ReturnType, Safety, Signature, Type};

use crate::types::{last_segment, text};

/// The two functions that an event's module may give.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Detect,
    Jobs,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Jobs => "jobs",
        }
    }

    /// The signature that is expected.
    pub(super) fn form(self) -> &'static str {
        match self {
            Self::Detect => "fn detect(change: &Change) -> bool",
            Self::Jobs => "fn jobs(change: &Change) -> Vec<Job>",
        }
    }

    /// The first thing that is wrong with `sig`, and where.
    pub(super) fn fault(self, sig: &Signature) -> Option<(TokenStream, String)> {
        let (tokens, fault) = self.modifiers(sig).or_else(|| self.parameters(sig)).or_else(|| self.output(sig))?;
        Some((tokens, format!("{fault}; write `{}`", self.form())))
    }

    fn modifiers(self, sig: &Signature) -> Option<(TokenStream, String)> {
        let name = self.name();
        if let Some(token) = &sig.asyncness {
            let cure = match self {
                Self::Detect => "it only looks at the change, work belongs in a `#[job]`",
                Self::Jobs => "it only names the jobs, what they await belongs in a `#[job]`",
            };
            return Some((token.to_token_stream(), format!("`{name}` cannot be async: {cure}")));
        }
        if let Safety::Unsafe(token) = &sig.safety {
            return Some((token.to_token_stream(), format!("`{name}` cannot be unsafe")));
        }
        if let Some(abi) = &sig.abi {
            return Some((abi.to_token_stream(), format!("`{name}` cannot have an ABI of its own")));
        }
        // A lifetime is no harm; a type or a constant would have to be chosen by somebody.
        let chosen = sig.generics.params.iter().find(|param| !matches!(param, syn::GenericParam::Lifetime(_)));
        chosen.map(|param| (param.to_token_stream(), format!("`{name}` cannot be generic: nobody is there to choose")))
    }

    fn parameters(self, sig: &Signature) -> Option<(TokenStream, String)> {
        let name = self.name();
        let mut inputs = sig.inputs.iter();
        let Some(first) = inputs.next() else {
            return Some((sig.ident.to_token_stream(), format!("`{name}` takes the change")));
        };
        if let Some(second) = inputs.next() {
            return Some((second.to_token_stream(), format!("`{name}` takes the change and nothing else")));
        }
        let FnArg::Typed(first) = first else {
            return Some((first.to_token_stream(), format!("`{name}` is a free function and has no `self`")));
        };
        match &*first.ty {
            Type::Reference(reference) if reference.mutability.is_none() => None,
            Type::Reference(_) => Some((first.ty.to_token_stream(), format!("`{name}` cannot alter the change"))),
            _ => Some((first.ty.to_token_stream(), format!("`{name}` takes the change by reference"))),
        }
    }

    fn output(self, sig: &Signature) -> Option<(TokenStream, String)> {
        let (name, wanted, whole) = match self {
            Self::Detect => ("detect", "bool", "bool"),
            Self::Jobs => ("jobs", "Vec", "Vec<Job>"),
        };
        match &sig.output {
            ReturnType::Default => {
                Some((sig.ident.to_token_stream(), format!("`{name}` returns nothing and must return `{whole}`")))
            }
            ReturnType::Type(_, ty) if last_segment(ty).is_some_and(|segment| segment == wanted) => None,
            ReturnType::Type(_, ty) => {
                Some((ty.to_token_stream(), format!("`{name}` returns `{}` and must return `{whole}`", text(ty))))
            }
        }
    }
}
