//! Eighty-one cells, and which digits each row, column and box still lacks.

use std::fmt;

/// How many cells a grid has.
pub const CELLS: usize = 81;

/// Nine rows, nine columns and nine boxes, numbered in this order.
pub const UNITS: usize = 27;

/// One bit a digit, the lowest for 1.
pub type Digits = u16;

const ALL: Digits = 0b1_1111_1111;

/// A digit stands at most once in every row, column and box: only [`Grid::place`] writes, and
/// its callers ask [`Grid::candidates`] first.
#[derive(Clone)]
pub struct Grid {
    /// The digit's bit, or nothing.
    cells: [Digits; CELLS],
    /// The digits in each unit.
    held: [Digits; UNITS],
}

impl Grid {
    const EMPTY: Self = Self { cells: [0; CELLS], held: [0; UNITS] };

    /// Reads a puzzle. White space is skipped, so that it may be written as nine lines.
    pub fn parse(text: &str) -> Result<Self, String> {
        let symbols: Vec<char> = text.chars().filter(|char| !char.is_whitespace()).collect();
        if symbols.len() != CELLS {
            return Err(format!("expected {CELLS} cells, got {}", symbols.len()));
        }
        let mut grid = Self::EMPTY;
        for (cell, symbol) in symbols.into_iter().enumerate() {
            let (row, column) = (cell / 9 + 1, cell % 9 + 1);
            match symbol {
                '.' | '0' => {}
                '1'..='9' => {
                    let digit = 1 << (symbol as u32 - '1' as u32);
                    if grid.candidates(cell) & digit == 0 {
                        return Err(format!(
                            "row {row}, column {column}: {symbol} is already in its row, column or box"
                        ));
                    }
                    grid.place(cell, digit);
                }
                _ => {
                    return Err(format!(
                        "row {row}, column {column}: expected a digit or `.`, got `{}`",
                        symbol.escape_debug()
                    ));
                }
            }
        }
        Ok(grid)
    }

    pub const fn is_blank(&self, cell: usize) -> bool {
        self.cells[cell] == 0
    }

    /// The digits that neither the cell's row nor its column nor its box holds.
    pub const fn candidates(&self, cell: usize) -> Digits {
        let [row, column, square] = units(cell);
        ALL & !(self.held[row] | self.held[column] | self.held[square])
    }

    /// The digits that a unit does not hold.
    pub const fn missing(&self, unit: usize) -> Digits {
        ALL & !self.held[unit]
    }

    /// Writes a candidate into a blank cell.
    pub const fn place(&mut self, cell: usize, digit: Digits) {
        self.cells[cell] = digit;
        self.flip(cell, digit);
    }

    /// Blanks a cell again.
    pub const fn clear(&mut self, cell: usize) {
        let digit = self.cells[cell];
        self.cells[cell] = 0;
        self.flip(cell, digit);
    }

    const fn flip(&mut self, cell: usize, digit: Digits) {
        let [row, column, square] = units(cell);
        self.held[row] ^= digit;
        self.held[column] ^= digit;
        self.held[square] ^= digit;
    }
}

/// The row, the column and the box that a cell is in.
const fn units(cell: usize) -> [usize; 3] {
    let (row, column) = (cell / 9, cell % 9);
    [row, 9 + column, 18 + row / 3 * 3 + column / 3]
}

/// The nine cells of a unit.
pub fn cells_of(unit: usize) -> impl Iterator<Item = usize> {
    let (kind, number) = (unit / 9, unit % 9);
    (0..9).map(move |place| match kind {
        0 => number * 9 + place,
        1 => place * 9 + number,
        _ => (number / 3 * 3 + place / 3) * 9 + number % 3 * 3 + place % 3,
    })
}

/// Nine lines of nine digits, without a line end after the last.
impl fmt::Display for Grid {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (cell, digit) in self.cells.iter().enumerate() {
            if cell > 0 && cell % 9 == 0 {
                writeln!(to)?;
            }
            match digit {
                0 => write!(to, ".")?,
                _ => write!(to, "{}", digit.trailing_zeros() + 1)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_puzzle_survives_reading_and_writing() {
        let lines = "53..7....\n6..195...\n.98....6.\n8...6...3\n4..8.3..1\n\
                     7...2...6\n.6....28.\n...419..5\n....8..79";
        assert_eq!(Grid::parse(lines).unwrap().to_string(), lines);
        let zeros = lines.replace('.', "0").replace('\n', "");
        assert_eq!(Grid::parse(&zeros).unwrap().to_string(), lines);
    }

    #[test]
    fn what_is_no_puzzle_is_refused() {
        let blank = ".".repeat(80);
        for text in [String::new(), blank.clone(), format!("{blank}.."), format!("{blank}x")] {
            assert!(Grid::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_digit_twice_in_a_row_column_or_box_is_refused() {
        for second in [8, 72, 20] {
            let mut symbols = vec!["."; CELLS];
            symbols[0] = "5";
            symbols[second] = "5";
            assert!(Grid::parse(&symbols.concat()).is_err(), "{second}");
        }
    }

    #[test]
    fn units_and_cells_agree() {
        for unit in 0..UNITS {
            assert_eq!(cells_of(unit).count(), 9);
            assert!(cells_of(unit).all(|cell| units(cell).contains(&unit)), "{unit}");
        }
    }

    #[test]
    fn clearing_undoes_placing() {
        let mut grid = Grid::EMPTY;
        grid.place(40, 0b1000);
        assert_eq!(grid.candidates(44), ALL & !0b1000);
        grid.clear(40);
        assert!(grid.is_blank(40));
        assert_eq!(grid.candidates(44), ALL);
    }
}
