//! Backtracking: follow the narrowest choice, and take it back where that fails.

use crate::grid::{CELLS, Digits, Grid, UNITS, cells_of};

/// How many digits may be placed before the search gives up, after a second or so: a hard puzzle
/// takes some thousands, and only one made to defeat this kind of search takes millions.
const PLACEMENTS_MAX: u32 = 5_000_000;

/// Fills the grid.
pub fn solve(grid: &mut Grid) -> Result<(), String> {
    let mut left = PLACEMENTS_MAX;
    if fill(grid, &mut left) {
        Ok(())
    } else if left > 0 {
        Err("the puzzle has no solution".to_owned())
    } else {
        Err(format!("gave up after {PLACEMENTS_MAX} steps"))
    }
}

/// Whether the grid could be filled; where not, it is as it was. Each level fills one cell, so
/// the recursion ends at a depth of 81.
fn fill(grid: &mut Grid, left: &mut u32) -> bool {
    let Some((cell, mut digits)) = narrowest_choice(grid) else {
        return true;
    };
    while digits != 0 && *left > 0 {
        *left -= 1;
        let lowest = digits & digits.wrapping_neg();
        digits ^= lowest;
        grid.place(cell, lowest);
        if fill(grid, left) {
            return true;
        }
        grid.clear(cell);
    }
    false
}

/// A blank cell and the digits to try in it, of which there are as few as can be seen: none at
/// a dead end. Nothing where no cell is blank.
fn narrowest_choice(grid: &Grid) -> Option<(usize, Digits)> {
    let mut candidates: [Digits; CELLS] = [0; CELLS];
    let mut narrowest: Option<(usize, Digits)> = None;
    for cell in (0..CELLS).filter(|cell| grid.is_blank(*cell)) {
        let digits = grid.candidates(cell);
        if digits.count_ones() <= 1 {
            return Some((cell, digits));
        }
        candidates[cell] = digits;
        if narrowest.is_none_or(|(_, least)| digits.count_ones() < least.count_ones()) {
            narrowest = Some((cell, digits));
        }
    }
    let (cell, _) = narrowest?;

    // Every cell leaves a choice, but a digit may have one place left in a unit, or none.
    for unit in 0..UNITS {
        let (mut once, mut twice) = (0, 0);
        for cell in cells_of(unit) {
            twice |= once & candidates[cell];
            once |= candidates[cell];
        }
        if grid.missing(unit) & !once != 0 {
            return Some((cell, 0));
        }
        let single = once & !twice;
        if let Some(cell) = cells_of(unit).find(|cell| candidates[*cell] & single != 0) {
            return Some((cell, candidates[cell] & single));
        }
    }
    narrowest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solved(puzzle: &str) -> Result<String, String> {
        let mut grid = Grid::parse(puzzle)?;
        solve(&mut grid)?;
        Ok(grid.to_string().replace('\n', ""))
    }

    /// A solution keeps the given digits and, read back, contradicts itself nowhere.
    fn assert_solves(puzzle: &str) {
        let solution = solved(puzzle).unwrap();
        assert!(Grid::parse(&solution).is_ok());
        for (given, found) in puzzle.chars().zip(solution.chars()) {
            assert!(given == found || given == '.', "{puzzle} {solution}");
            assert_ne!(found, '.');
        }
    }

    #[test]
    fn an_easy_puzzle_has_its_known_solution() {
        assert_eq!(
            solved("53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79").as_deref(),
            Ok("534678912672195348198342567859761423426853791713924856961537284287419635345286179")
        );
    }

    #[test]
    fn hard_and_adversarial_puzzles_are_solved() {
        for puzzle in [
            // Seventeen givens.
            "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9",
            // Arto Inkala, 2010 and 2012.
            "..53.....8......2..7..1.5..4....53...1..7...6..32...8..6.5....9..4....3......97..",
            "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..",
            // Norvig, "Solving Every Sudoku Puzzle": many solutions, and all far away.
            ".....6....59.....82....8....45........3........6..3.54...325..6..................",
            // Nothing given at all.
            ".................................................................................",
        ] {
            assert_solves(puzzle);
        }
    }

    #[test]
    fn a_puzzle_without_solution_is_refused() {
        // The last cell of the first row lacks a digit.
        let puzzle = format!("12345678.{}9{}", ".".repeat(8), ".".repeat(63));
        let refusal = solved(&puzzle).unwrap_err();
        assert!(refusal.contains("no solution"), "{refusal}");
    }

    /// No digit is missing at first sight, and the search does not find out in time that one is.
    #[test]
    fn the_search_ends_on_a_puzzle_that_hides_its_contradiction() {
        let puzzle = ".....5.8....6.1.43..........1.5........1.6...3.......553.....61........4.........";
        assert!(solved(puzzle).is_err());
    }

    #[test]
    fn the_search_gives_up_where_its_steps_are_spent() {
        let mut grid = Grid::parse(&".".repeat(CELLS)).unwrap();
        let before = grid.to_string();
        assert!(!fill(&mut grid, &mut 80));
        assert_eq!(grid.to_string(), before);
    }
}
