//! Solves a sudoku: 81 cells, row by row, blanks as `.` or `0`, from the environment variable
//! `puzzle` or else from the input. Where there are several solutions, it gives one of them.

mod grid;
mod search;

use std::env;
use std::process::ExitCode;

use grid::Grid;

fn main() -> ExitCode {
    call::reply(puzzle().and_then(|text| {
        let mut grid = Grid::parse(&text)?;
        search::solve(&mut grid)?;
        Ok(grid.to_string())
    }))
}

fn puzzle() -> Result<String, String> {
    match env::var_os("puzzle") {
        Some(text) => text.into_string().map_err(|_| "environment variable `puzzle` is not text".to_owned()),
        None => call::read(),
    }
}
