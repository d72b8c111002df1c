//! What spans modules, in one binary: each module here is one story.

mod cli;
mod map;
mod window;
