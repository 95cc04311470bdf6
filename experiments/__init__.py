"""One script per question: run() computes plain numbers, plot() draws them, main() does both."""
