"""What an estimate costs: time and memory against two FFTs, in processes of their own."""
