/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the file that task.yaml reads: a header of 16 bytes, then 1000 records of 48 bytes with an
 * id, a vector of 8 floats, a price and whether it is in stock.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 1000, DIM = 8, STRIDE = 48, HEADER = 16 };

int main(int argc, char **argv) {
    unsigned char header[HEADER] = "PRD1", record[STRIDE];
    FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: make_sample FILE (a file that can be written)\n");
        return 2;
    }
    fwrite(header, 1, sizeof(header), file);
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t id = 1000000 + row;
        double cents = (double)(row * 37 % 10000);
        float price = (float)(cents / 100);
        memset(record, 0, sizeof(record));
        memcpy(record, &id, sizeof(id));
        for (uint32_t i = 0; i < DIM; i++) {
            float element = (float)((row * 31 + i * 17) % 256) / 256;
            memcpy(record + 4 + 4 * i, &element, sizeof(element));
        }
        memcpy(record + 36, &price, sizeof(price));
        record[40] = row % 3 != 0;
        fwrite(record, 1, sizeof(record), file);
    }
    if (ferror(file) || fclose(file) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
